// How large the daemon of this home has ever been.
import { readFileSync } from 'node:fs';
import { pyro, succeed } from './pyro.ts';

/** Most memory that it has had, `MiB` */
export async function peakOfDaemon(): Promise<number> {
  const { stdout } = await pyro(['daemon', 'status', '--json']);
  const pid = /"pid": (\d+)/.exec(stdout.toString('utf8'))?.[1];
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}

/** Ends the daemon of this home, whose guests run on: the peak of the next one is that of what it does itself. */
export async function endDaemon(): Promise<void> {
  await succeed(['daemon', 'stop']);
}
