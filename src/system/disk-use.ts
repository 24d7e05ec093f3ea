// Room that files take on the disk of this machine.
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface DiskUseOptions {
  readonly signal?: AbortSignal;
  /** Files with several names that were counted already; those that are met are added */
  readonly seen?: Set<string>;
  /** Paths that are not looked into */
  readonly except?: ReadonlySet<string>;
}

/** Disk space of a file or what is in a folder, `bytes`; holes count nothing, nor does what goes away meanwhile. */
export async function diskUse(path: string, options: DiskUseOptions = {}): Promise<number> {
  const { signal, seen, except } = options;
  signal?.throwIfAborted();
  if (except?.has(path) === true) return 0;
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) return 0;
  if (!status.isDirectory()) {
    const key = `${status.dev}:${status.ino}`;
    if (status.nlink > 1 && seen?.has(key) === true) return 0;
    if (status.nlink > 1) seen?.add(key);
    return status.blocks * 512;
  }
  let sum = 0;
  for (const name of await readdir(path).catch(() => [])) sum += await diskUse(join(path, name), options);
  return sum;
}
