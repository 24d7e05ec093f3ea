// Folders of sockets that are of use only while the process that made them lives: their names say which one that is.
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { identifySelf, isRunning } from '../system/processes.ts';

const namePattern = /^t(\d+)-(\d+)-[0-9a-f]{4}$/;

/** Name for a folder of this process; short, since the paths of sockets are. */
export function ownedFolderName(): string {
  const { pid, start_ticks: ticks } = identifySelf();
  return `t${pid}-${ticks}-${randomBytes(2).toString('hex')}`;
}

/** Removes folders whose makers were killed. */
export async function sweepOwnedFolders(runtimeFolder: string): Promise<void> {
  for (const name of await readdir(runtimeFolder).catch(() => [])) {
    const [, pid, ticks] = namePattern.exec(name) ?? [];
    if (pid === undefined || isRunning({ pid: Number(pid), start_ticks: Number(ticks) })) continue;
    await rm(join(runtimeFolder, name), { recursive: true, force: true });
  }
}
