// How large the daemon of this home has ever been.
import { readFileSync } from 'node:fs';
import { pyro, succeed } from './pyro.ts';

/** Most memory that it has had, `MiB` */
export async function peakOfDaemon(): Promise<number> {
  const { stdout } = await pyro(['daemon', 'status', '--json']);
  const pid = /"pid": (\d+)/.exec(stdout.toString('utf8'))?.[1];
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}

/** A new daemon of this home, while its guests run on: its peak is that of what it does from now on. */
export async function renewDaemon(): Promise<void> {
  await succeed(['daemon', 'stop']);
  // What starts it says so on standard error, where a test may look for nothing.
  await succeed(['workspace', 'list']);
}
