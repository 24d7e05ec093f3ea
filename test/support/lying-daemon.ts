// The daemon as a process of its own, over stand-in guests whose agents lie. Arguments: its home, the folder of lies from the start.
import { argv, env, exit } from 'node:process';
import { runDaemonProcess } from '../../src/daemon/serve.ts';
import { createDaemonEngine } from '../../src/engine/daemon-engine.ts';
import { operations } from '../../src/operations/index.ts';
import { version } from '../../src/version.ts';
import { createStandIn } from './stand-in-machine.ts';

const [home, lies] = argv.slice(2);
env['PYRO_HOME'] = home;
const standIn = createStandIn(undefined, lies);
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
const exitCode = await runDaemonProcess({
  operations,
  createEngine: (paths) => createDaemonEngine(paths, undefined, standIn.open),
  version,
  signal: ending.signal,
  readyFd: 3,
});
standIn[Symbol.dispose]();
exit(exitCode);
