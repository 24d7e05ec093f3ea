// Images of projects by key: made once, kept for the next workspace of the same checkout, removed when old.
import { mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { CallContext } from '../shared/call-context.ts';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { formatBytes } from '../shared/units.ts';
import { readJson, temporaryName, writeJson } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { acquireLock } from '../system/lock.ts';
import { checkArchive, hashArchive, writeArchiveImage } from './archive.ts';
import { git } from './git.ts';
import { writeImage } from './image.ts';
import { listFolder } from './listing.ts';
import type { Listing, ProjectImage, SeedRequest, SeedSummary } from './project-types.ts';
import { signListing } from './signature.ts';

const summarySchema = z.object({
  mode: z.enum(['git', 'directory', 'tar_archive']),
  seed_path: z.string(),
  commit: z.string().nullable(),
  branch: z.string().nullable(),
  dirty: z.boolean().nullable(),
  entry_count: z.number(),
  bytes_written: z.number(),
  left_out: z.record(z.string(), z.number()),
});

const tries = 3;
const buildWaitMs = 600_000;
/** Images that no call has used for so long are removed, `ms`; workspaces hold theirs by a link of their own */
const keptMs = 7 * 24 * 3600 * 1000;

/** The image of a project as it stands now, made unless there is one. Throws `seed_…`. */
export async function prepareProjectImage(
  folder: string,
  request: SeedRequest,
  context: CallContext,
): Promise<ProjectImage> {
  await makeFolder(folder);
  const status = await stat(request.path).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') throw missing(request.path);
    throw error;
  });
  if (status.isFile()) return await prepareArchive(folder, request.path, context);
  if (!status.isDirectory()) throw missing(request.path);
  for (let attempt = 1; ; attempt++) {
    const listing = await listFolder(request, context.signal);
    const key = await signListing(listing, context.signal);
    const found = await find(folder, key);
    if (found !== undefined) return { ...found, summary: { ...found.summary, seed_path: request.path } };
    const made = await build(folder, key, context, async (image, scratch) => {
      const { commit, branch } = await writeImage(listing, image, scratch, context.signal);
      const dirty = listing.mode === 'git' ? await isDirty(listing.root, context.signal) : null;
      return summaryOf(request.path, listing, commit, branch, dirty);
    }).catch(async (error: unknown) => {
      context.signal.throwIfAborted();
      // A file that went while tar read it: the next try sees the project as it is then.
      if (await hasChanged(request, key, context)) return undefined;
      throw error;
    });
    if (made !== undefined && !(await hasChanged(request, key, context))) return made;
    if (made !== undefined) await rm(made.path, { force: true });
    if (attempt >= tries) {
      throw new PyroError('seed_changing', `${request.path} kept changing while it was read`, {
        hint: 'wait until what writes there has finished, then try again',
      });
    }
    context.onProgress({ phase: 'seed', message: 'the project changed while it was read; reading it again' });
  }
}

/** Removes images that nobody has used for a week. */
export async function pruneProjects(
  folder: string,
  isAll: boolean,
): Promise<{ freed_bytes: number; removed: string[] }> {
  const removed: string[] = [];
  let freed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.squashfs') && !name.includes('.partial-')) continue;
    const path = join(folder, name);
    const { mtimeMs, blocks } = await stat(path);
    if (!isAll && Date.now() - mtimeMs < keptMs) continue;
    freed += blocks * 512;
    await rm(path, { force: true });
    await rm(path.replace(/\.squashfs$/, '.json'), { force: true });
    removed.push(`project image ${name.slice(0, 12)}`);
  }
  return { freed_bytes: freed, removed };
}

async function prepareArchive(folder: string, path: string, context: CallContext): Promise<ProjectImage> {
  const key = await hashArchive(path, context.signal);
  const found = await find(folder, key);
  if (found !== undefined) return { ...found, summary: { ...found.summary, seed_path: path } };
  return await build(folder, key, context, async (image) => {
    const { entryCount, bytes } = await checkArchive(path, context.signal);
    await writeArchiveImage(path, image, context.signal);
    const common = { commit: null, branch: null, dirty: null, left_out: {} };
    return { mode: 'tar_archive', seed_path: path, entry_count: entryCount, bytes_written: bytes, ...common };
  });
}

async function build(
  folder: string,
  key: string,
  context: CallContext,
  write: (image: string, scratch: string) => Promise<SeedSummary>,
): Promise<ProjectImage> {
  await using _lock = await acquireLock(join(folder, `${key}.lock`), {
    signal: context.signal,
    waitMs: buildWaitMs,
  });
  const found = await find(folder, key);
  if (found !== undefined) return found;
  context.onProgress({ phase: 'seed', message: 'packing the project' });
  const path = join(folder, `${key}.squashfs`);
  const draft = temporaryName(path);
  const scratch = await mkdtemp(join(tmpdir(), 'pyro-seed-'));
  try {
    const summary = await write(draft, scratch);
    await writeJson(join(folder, `${key}.json`), summary);
    await rename(draft, path);
    context.onProgress({
      phase: 'seed',
      message: `packed ${summary.entry_count} entries, ${formatBytes(summary.bytes_written)}`,
    });
    return { key, path, summary };
  } finally {
    await rm(scratch, { recursive: true, force: true });
    await rm(draft, { force: true });
  }
}

async function find(folder: string, key: string): Promise<ProjectImage | undefined> {
  const path = join(folder, `${key}.squashfs`);
  const summary = await readJson(join(folder, `${key}.json`), summarySchema).catch(() => undefined);
  const now = new Date();
  try {
    await utimes(path, now, now);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return summary === undefined ? undefined : { key, path, summary };
}

async function hasChanged(request: SeedRequest, key: string, { signal }: CallContext): Promise<boolean> {
  return (await signListing(await listFolder(request, signal), signal)) !== key;
}

async function isDirty(root: string, signal: AbortSignal): Promise<boolean> {
  return (await git(root, ['status', '--porcelain', '-z'], { signal })).length > 0;
}

function summaryOf(
  path: string,
  { mode, items, leftOut }: Listing,
  commit: string | null,
  branch: string | null,
  dirty: boolean | null,
): SeedSummary {
  const bytes = items.reduce((sum, { type, size }) => sum + (type === 'file' ? size : 0), 0);
  return {
    mode,
    seed_path: path,
    commit,
    branch,
    dirty,
    entry_count: items.length,
    bytes_written: bytes,
    left_out: leftOut,
  };
}

function missing(path: string): PyroError {
  return new PyroError('seed_missing', `there is no folder and no archive at ${path}`, {
    hint: 'give the path of a folder, a Git checkout or a tar archive',
  });
}
