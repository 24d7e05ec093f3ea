// The daemon over stand-in guests, as a program of its own that can be killed: `node fault-daemon.ts`, with PYRO_HOME and PYRO_STAND_IN.
import { runDaemonProcess } from '../../src/daemon/serve.ts';
import { createDaemonEngine } from '../../src/engine/daemon-engine.ts';
import { GuestMemory } from '../../src/engine/guests/memory-limit.ts';
import { operations } from '../../src/operations/index.ts';
import { version } from '../../src/version.ts';
import { createStandIn } from './stand-in-machine.ts';

const standIn = createStandIn(process.env['PYRO_STAND_IN']);
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
process.exitCode = await runDaemonProcess({
  operations,
  createEngine: (paths) => createDaemonEngine(paths, new GuestMemory(65_536), standIn.open),
  version,
  signal: ending.signal,
});
process.exit();
