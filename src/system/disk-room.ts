// Room on the disks that pyro writes: how much is free, from when on it is scarce, and what could be removed.
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { leastRoom } from '../shared/disk-limits.ts';
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { formatBytes } from '../shared/units.ts';
import { diskUse } from './disk-use.ts';
import type { Paths } from './paths.ts';

/** A place that knows of the cache alone asks for that. */
export type Folders = Pick<Paths, 'cache'> & Partial<Pick<Paths, 'state'>>;

/** The folder of the disk with less room, and what is free there, `bytes`; folders that are not there count nothing. */
export function tightestRoom({ cache, state }: Folders): { readonly folder: string; readonly free: number } {
  let tightest = { folder: state ?? cache, free: Number.POSITIVE_INFINITY };
  for (const folder of state === undefined ? [cache] : [state, cache]) {
    const free = freeRoom(folder);
    if (free < tightest.free) tightest = { folder, free };
  }
  return tightest;
}

function freeRoom(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    // Nobody has written there yet; whoever makes the folder says what is wrong with it.
    return Number.POSITIVE_INFINITY;
  }
}

/** Throws `disk_low`, with what takes the room, when there is too little for new work. */
export async function assertRoom(folders: Folders, what: string, signal: AbortSignal): Promise<void> {
  const { folder, free } = tightestRoom(folders);
  if (free >= leastRoom) return;
  const use = async (path: string): Promise<string> => formatBytes(await diskUse(path, { signal }));
  const [environments, templates] = await Promise.all(
    ['environments', 'templates'].map((name) => use(join(folders.cache, name))),
  );
  const ofState =
    folders.state === undefined
      ? ''
      : `workspaces take ${await use(join(folders.state, 'workspaces'))} (${hintCall('workspace.prune')}), `;
  throw new PyroError(
    'disk_low',
    `only ${formatBytes(free)} are free in ${folder}: ${what} needs ${formatBytes(leastRoom)}`,
    {
      hint: `make room: ${ofState}environments ${environments} (${hintCall('env.prune')}), templates ${templates} (${hintCall('clean', { all: 'true' })})`,
      details: { free_bytes: free, needed_bytes: leastRoom },
    },
  );
}
