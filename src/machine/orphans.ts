// Guests of workspaces that no record names: a daemon that was killed between start and record left them.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isHostFault } from '../shared/errors.ts';
import { identifyProcess, isRunning } from '../system/processes.ts';

const socketsPattern = /^w[0-9a-f]{12}-[0-9a-f]{6}$/;

/** Ends guests whose folder of sockets is not among the known ones and removes all such folders. */
export async function sweepGuests(runtimeFolder: string, known: ReadonlySet<string>): Promise<void> {
  const names = (await readdir(runtimeFolder).catch(() => [])).filter((name) => socketsPattern.test(name));
  const orphans = names.filter((name) => !known.has(name));
  if (orphans.length === 0) return;
  const marks = orphans.map((name) => `path=${join(runtimeFolder, name)}/a,`);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const identity = identifyProcess(pid);
    const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch((error: unknown) => {
      if (isHostFault(error)) throw error;
      return '';
    });
    if (identity === undefined || !line.includes('qemu')) continue;
    if (marks.some((mark) => line.includes(mark)) && isRunning(identity)) process.kill(pid, 'SIGKILL');
  }
  for (const name of orphans) await rm(join(runtimeFolder, name), { recursive: true, force: true });
}
