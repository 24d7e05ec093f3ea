// What pyro keeps on the disk of this machine, by kind, and how much of it is not needed.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageUse } from '../../contract/machine.ts';
import { diskUse } from '../../system/disk-use.ts';
import type { Paths } from '../../system/paths.ts';

/** Folders of each kind; anything else in the cache or the state counts as `other` */
const kinds = [
  { kind: 'environments', root: 'cache', folder: 'environments', isItem: () => true },
  { kind: 'downloads', root: 'cache', folder: join('blobs', 'sha256'), isItem: () => true },
  { kind: 'templates', root: 'cache', folder: 'templates', isItem: () => true },
  { kind: 'projects', root: 'cache', folder: 'projects', isItem: (name: string) => name.endsWith('.img') },
  { kind: 'workspaces', root: 'state', folder: 'workspaces', isItem: () => true },
  { kind: 'logs', root: 'state', folder: 'logs', isItem: () => true },
] as const;

/** Counts what is in the folders of this user. A file with several names counts once, where it is found first. */
export async function measureStorage(paths: Paths, signal: AbortSignal): Promise<StorageUse[]> {
  const seen = new Set<string>();
  const uses: StorageUse[] = [];
  const counted = new Set<string>();
  for (const { kind, root, folder, isItem } of kinds) {
    const path = join(paths[root], folder);
    counted.add(path);
    const names = await readdir(path).catch(() => []);
    const bytes = await diskUse(path, { seen, signal });
    uses.push({ kind, path, count: names.filter(isItem).length, bytes });
  }
  let other = 0;
  for (const root of [paths.cache, paths.state]) other += await diskUse(root, { seen, signal, except: counted });
  uses.push({ kind: 'other', path: paths.cache, count: null, bytes: other });
  return uses;
}
