// The daemon as a process of its own, over guests whose agents lie. Arguments: its home, the folder of lies from the start of
// stand-in guests, the folder with their agent and contents, and for real guests in place of them the guest kit with the
// agent that lies.
import { argv, env, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { runDaemonProcess } from '../../src/daemon/serve.ts';
import { createDaemonEngine } from '../../src/engine/daemon-engine.ts';
import { openJobProcesses } from '../../src/engine/jobs/job-processes.ts';
import { operations } from '../../src/operations/index.ts';
import { version } from '../../src/version.ts';
import { createStandIn } from './stand-in-machine.ts';

/** Work on what guests send is done where the daemon that is shipped has it done */
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const [home, lies, standIns, kit = ''] = argv.slice(2);
env['PYRO_HOME'] = home;
if (kit !== '') env['PYRO_GUEST_KIT'] = kit;
const standIn = kit === '' ? createStandIn(standIns, lies) : undefined;
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
const exitCode = await runDaemonProcess({
  operations,
  createEngine: (paths) => createDaemonEngine(paths, undefined, standIn?.open, openJobProcesses(main)),
  version,
  signal: ending.signal,
  readyFd: 3,
});
exit(exitCode);
