// Finished project images by key: an image is there once its record is, and goes when no workspace uses it.
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isPyroError } from '../shared/errors.ts';
import { digestOf, type KeptFile } from '../system/content-check.ts';
import { isTemporaryName, ownFileSize, readJson, writeJson } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { acquireLock } from '../system/lock.ts';
import { type ProjectImage, projectDiskBytes, seedSummarySchema } from './project-types.ts';

export interface ProjectStore {
  /** Folder of images, records and locks */
  readonly root: string;
}

const recordSchema = z.object({
  version: z.literal(1),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** Size without padding, `bytes` */
  image_bytes: z.number().int().positive(),
  /** Taken at the first use of the image, behind the call that has made it */
  image_sha256: z.string().optional(),
  created_at: z.string(),
  summary: seedSummarySchema,
});

export function openProjectStore(stateFolder: string): ProjectStore {
  return { root: join(stateFolder, 'projects') };
}

export function imagePath(store: ProjectStore, key: string): string {
  return join(store.root, `${key}.img`);
}

function recordPath(store: ProjectStore, key: string): string {
  return join(store.root, `${key}.json`);
}

/** The image of this key, undefined when it is not there whole. */
export async function findProjectImage(store: ProjectStore, key: string): Promise<ProjectImage | undefined> {
  const record = await readJson(recordPath(store, key), recordSchema).catch((error: unknown) => {
    // A damaged record is as good as none: the image is made again.
    if (isPyroError(error, 'state_damaged')) return undefined;
    throw error;
  });
  if (record === undefined) return undefined;
  const path = imagePath(store, key);
  return (await ownFileSize(path)) === projectDiskBytes ? { key, path, summary: record.summary } : undefined;
}

/** Takes over a finished image file. */
export async function addProjectImage(
  store: ProjectStore,
  image: Omit<ProjectImage, 'path'>,
  file: string,
  imageBytes: number,
): Promise<ProjectImage> {
  const path = imagePath(store, image.key);
  await rename(file, path);
  await writeJson(recordPath(store, image.key), {
    version: 1,
    key: image.key,
    image_bytes: imageBytes,
    created_at: new Date().toISOString(),
    summary: image.summary,
  });
  return { ...image, path };
}

/** The file of an image with its digest, which is taken now where nobody has taken it yet. */
export async function projectFile(
  store: ProjectStore,
  key: string,
  rate: number | undefined,
  signal: AbortSignal,
): Promise<KeptFile[]> {
  const record = await readJson(recordPath(store, key), recordSchema).catch(() => undefined);
  if (record === undefined || (await findProjectImage(store, key)) === undefined) return [];
  const file = { path: imagePath(store, key), bytes: record.image_bytes };
  const known = record.image_sha256;
  if (known !== undefined) return [{ ...file, sha256: known }];
  const sha256 = await digestOf(file, rate, signal);
  await using _lock = await lockProject(store, key, { signal, waitMs: 60_000 });
  // One that a prune took away meanwhile does not come back by its record.
  if ((await findProjectImage(store, key)) !== undefined)
    await writeJson(recordPath(store, key), { ...record, image_sha256: sha256 });
  return [];
}

export async function dropProjectImage(store: ProjectStore, key: string): Promise<void> {
  await using _lock = await lockProject(store, key, { waitMs: 60_000 });
  for (const path of [recordPath(store, key), imagePath(store, key)]) await rm(path, { force: true });
}

/** Marks an image as just used, for {@link pruneProjectImages}. */
export async function touchProjectImage(store: ProjectStore, key: string): Promise<void> {
  const now = new Date();
  // An image that a prune took away meanwhile is the caller's to miss, not this mark's.
  await utimes(recordPath(store, key), now, now).catch(() => undefined);
}

/** One builder at a time for each key, over all processes. */
export async function lockProject(
  store: ProjectStore,
  key: string,
  options: { readonly signal?: AbortSignal; readonly waitMs: number; readonly onWait?: (holder: string) => void },
): Promise<AsyncDisposable> {
  await makeFolder(store.root);
  return await acquireLock(join(store.root, `${key}.lock`), options);
}

/** Removes what makers of images have left that were killed: whoever makes one holds the lock of its key. */
export async function sweepProjectImages(store: ProjectStore): Promise<void> {
  for (const name of (await readdir(store.root).catch(() => [])).filter(isTemporaryName)) {
    try {
      await using _lock = await lockProject(store, name.slice(0, 64), { waitMs: 0 });
      await rm(join(store.root, name), { recursive: true, force: true });
    } catch (error) {
      if (!isPyroError(error, 'locked')) throw error;
    }
  }
}

export interface PruneOptions {
  /** Images used within this time stay, `ms`: their workspace may be in the making */
  readonly graceMs?: number;
  /** Nothing is removed, it is only told */
  readonly isDryRun?: boolean;
}

/** Removes images and remains of builds that nobody uses; keys that are being built stay. Says how much came free. */
export async function pruneProjectImages(
  store: ProjectStore,
  keysInUse: ReadonlySet<string>,
  options: PruneOptions = {},
): Promise<{ freed_bytes: number; removed: string[] }> {
  const names = await readdir(store.root).catch(() => []);
  const keys = new Set(names.map((name) => name.slice(0, 64)).filter((key) => /^[0-9a-f]{64}$/.test(key)));
  const removed: string[] = [];
  let freed = 0;
  for (const key of keys) {
    const lock = await lockProject(store, key, { waitMs: 0 }).catch((error: unknown) => {
      if (isPyroError(error, 'locked')) return undefined;
      throw error;
    });
    if (lock === undefined) continue;
    await using _held = lock;
    const used = (await stat(recordPath(store, key)).catch(() => undefined))?.mtimeMs ?? 0;
    const isKept = keysInUse.has(key) || used > Date.now() - (options.graceMs ?? 0);
    for (const name of names.filter((each) => each.startsWith(key) && !each.endsWith('.lock'))) {
      if (isKept && !isTemporaryName(name)) continue;
      const path = join(store.root, name);
      freed += ((await stat(path).catch(() => undefined))?.blocks ?? 0) * 512;
      if (options.isDryRun !== true) await rm(path, { recursive: true, force: true });
      if (name.endsWith('.img')) removed.push(key);
    }
  }
  return { freed_bytes: freed, removed };
}
