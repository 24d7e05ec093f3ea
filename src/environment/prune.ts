// Freeing the cache of environments: what no name and no guest uses, never what a pull is about to use.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPyroError } from '../shared/errors.ts';
import { formatBytes } from '../shared/units.ts';
import { diskUse } from '../system/disk-use.ts';
import { isTemporaryName } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import { blobsFolder, environmentsFolder, locksFolder, readPointers, refsFolder, type Store } from './store.ts';

const pruneWaitMs = 60_000;

interface Pruned {
  readonly freed_bytes: number;
  readonly removed: string[];
}

/** Removes leftovers, or only tells of them; with `isAll` also the environments whose digest is not in use. A pull that runs keeps its files. */
export async function pruneStore(
  store: Store,
  { isAll, isDryRun = false }: { readonly isAll: boolean; readonly isDryRun?: boolean },
  inUse: ReadonlySet<string> = new Set(),
): Promise<Pruned> {
  // Before a pull touches the store it waits for this lock: either it starts after us, or we see its own lock.
  await using _lock = await acquireLock(pruneLock(store), { waitMs: pruneWaitMs });
  const isPulling = await findRunningPull(store);
  const removed: string[] = [];
  let freed = 0;
  const drop = async (path: string, label: string): Promise<void> => {
    const bytes = await diskUse(path);
    freed += bytes;
    if (!isDryRun) await rm(path, { recursive: true, force: true });
    removed.push(`${label}, ${formatBytes(bytes)}`);
  };
  const pointers = await readPointers(store);
  const kept = pointers.filter(({ digest }) => !isAll || inUse.has(digest));
  const named = new Set(pointers.map(({ digest }) => digest));
  const keptDigests = new Set([...kept.map(({ digest }) => digest), ...inUse]);
  const keptFiles = new Set(kept.map(({ file }) => file));
  for (const file of await readdir(refsFolder(store)).catch(() => [])) {
    const path = join(refsFolder(store), file);
    const isStray = !pointers.some((pointer) => pointer.file === path);
    if (keptFiles.has(path) || (isStray && isPulling) || isDryRun) continue;
    await rm(path, { force: true });
  }
  for (const name of await readdir(environmentsFolder(store)).catch(() => [])) {
    const digest = `sha256:${name}`;
    if (keptDigests.has(digest) || (isPulling && !named.has(digest))) continue;
    const names = pointers.filter((pointer) => pointer.digest === digest).map((pointer) => pointer.name);
    await drop(join(environmentsFolder(store), name), `environment ${names.join(' ') || name.slice(0, 12)}`);
  }
  if (!isPulling) {
    for (const name of await readdir(blobsFolder(store)).catch(() => []))
      await drop(join(blobsFolder(store), name), `layer ${name.slice(0, 12)}`);
  }
  return { freed_bytes: freed, removed };
}

/** Removes images that were not whole when their pull was killed; nothing while a pull or a prune runs. */
export async function sweepStore(store: Store, signal: AbortSignal): Promise<void> {
  const folder = environmentsFolder(store);
  const drafts = (await readdir(folder).catch(() => [])).filter(isTemporaryName);
  if (drafts.length === 0) return;
  await using _lock = await acquireLock(pruneLock(store), { signal, waitMs: pruneWaitMs });
  if (await findRunningPull(store)) return;
  for (const name of drafts) await rm(join(folder, name), { recursive: true, force: true });
}

/** Waits until no prune runs. Call it after the pull's own lock is taken. */
export async function waitForPrune(store: Store, signal: AbortSignal): Promise<void> {
  await using _lock = await acquireLock(pruneLock(store), { signal, waitMs: pruneWaitMs });
}

function pruneLock(store: Store): string {
  return join(locksFolder(store), 'prune');
}

/** Locks of pulls whose process has ended are taken over, and so removed, on the way. */
async function findRunningPull(store: Store): Promise<boolean> {
  let isRunning = false;
  for (const name of await readdir(locksFolder(store)).catch(() => [])) {
    if (!/^(?:pull|blob)-[0-9a-f]+$/.test(name)) continue;
    try {
      await using _taken = await acquireLock(join(locksFolder(store), name));
    } catch (error) {
      if (!isPyroError(error, 'locked')) throw error;
      isRunning = true;
    }
  }
  return isRunning;
}
