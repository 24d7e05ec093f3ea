// What pyro holds on the disk of this machine, by kind, and how much of it nothing needs.
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../shared/errors.ts';
import type { Paths } from '../system/paths.ts';
import type { StorageUse } from './engine-types.ts';

/** Folders of each kind; what stands in the cache or the state beside them counts as `other` */
const kinds = [
  { kind: 'environments', root: 'cache', folder: 'environments', isItem: () => true },
  { kind: 'downloads', root: 'cache', folder: join('blobs', 'sha256'), isItem: () => true },
  { kind: 'templates', root: 'cache', folder: 'templates', isItem: () => true },
  { kind: 'projects', root: 'cache', folder: 'projects', isItem: (name: string) => name.endsWith('.img') },
  { kind: 'workspaces', root: 'state', folder: 'workspaces', isItem: () => true },
  { kind: 'logs', root: 'state', folder: 'logs', isItem: () => true },
] as const;

/** Counts what lies in the folders of this user. A file with several names counts once, where it is met first. */
export async function measureStorage(paths: Paths, signal: AbortSignal): Promise<StorageUse[]> {
  const seen = new Set<string>();
  const uses: StorageUse[] = [];
  const counted = new Set<string>();
  for (const { kind, root, folder, isItem } of kinds) {
    const path = join(paths[root], folder);
    counted.add(path);
    const names = await namesIn(path);
    let bytes = 0;
    for (const name of names) bytes += await measure(join(path, name), seen, signal);
    uses.push({ kind, path, count: names.filter(isItem).length, bytes });
  }
  let other = 0;
  for (const root of [paths.cache, paths.state]) other += await measure(root, seen, signal, counted);
  uses.push({ kind: 'other', path: paths.cache, count: null, bytes: other });
  return uses;
}

/** Room that a file or folder takes, `bytes`: holes take none, and what goes away meanwhile neither. */
async function measure(
  path: string,
  seen: Set<string>,
  signal: AbortSignal,
  except?: ReadonlySet<string>,
): Promise<number> {
  signal.throwIfAborted();
  if (except?.has(path) === true) return 0;
  const status = await lstat(path).catch(unlessGone);
  if (status === undefined) return 0;
  if (!status.isDirectory()) {
    const key = `${status.dev}:${status.ino}`;
    if (status.nlink > 1 && seen.has(key)) return 0;
    if (status.nlink > 1) seen.add(key);
    return status.blocks * 512;
  }
  let sum = status.blocks * 512;
  for (const name of await namesIn(path)) sum += await measure(join(path, name), seen, signal, except);
  return sum;
}

async function namesIn(path: string): Promise<string[]> {
  const folder = await opendir(path).catch(unlessGone);
  if (folder === undefined) return [];
  const names: string[] = [];
  for await (const { name } of folder) names.push(name);
  return names;
}

function unlessGone(error: unknown): undefined {
  const code = systemCodeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw error;
}
