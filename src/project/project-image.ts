// Makes the project image that a request asks for, or finds it: list, key, build, and look again whether anything moved.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { createMeter, type OnProgress } from '../shared/progress.ts';
import { formatCount } from '../shared/units.ts';
import { syncFile, temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { checkArchive, readArchive } from './archive.ts';
import { writeGitDirectory } from './git-directory.ts';
import { checkSize, checkTar, startTar, writeImage } from './image-file.ts';
import type { CollectedItem } from './item-collector.ts';
import { projectKey, seedStamp } from './project-key.ts';
import {
  addProjectImage,
  findProjectImage,
  lockProject,
  type ProjectStore,
  touchProjectImage,
} from './project-store.ts';
import { mtimeSecondsOf, type ProjectImage, type SeedRequest, type SeedSummary } from './project-types.ts';
import { readSeed, type Seed } from './seed.ts';

export interface PrepareContext {
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

const attempts = 3;
const longestWaitMs = 15 * 60_000;

/** The image of the project as it is now. Throws the `seed_` errors; nothing is written for one that is there. */
export async function prepareProjectImage(
  store: ProjectStore,
  request: SeedRequest,
  context: PrepareContext,
): Promise<ProjectImage> {
  let last: unknown;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    try {
      const image = await tryPrepare(store, request, context);
      if (image !== undefined) return image;
    } catch (error) {
      if (!isPyroError(error, 'seed_changing')) throw error;
      last = error;
    }
    context.onProgress({ phase: 'seed', message: 'the project changed while it was read; reading it again' });
  }
  throw new PyroError('seed_changing', `the project ${request.path} changed ${attempts} times while it was read`, {
    hint: 'stop what writes to it (a build, a test, a watcher), or have Git ignore what it writes, and call again',
    ...(last === undefined ? {} : { cause: last }),
  });
}

/** Undefined when the project changed on the way. */
async function tryPrepare(
  store: ProjectStore,
  request: SeedRequest,
  context: PrepareContext,
): Promise<ProjectImage | undefined> {
  const { signal, onProgress } = context;
  const seed = await readSettledSeed(request, signal);
  if (seed === undefined) return undefined;
  const key = await projectKey(seed);
  const cached = await findProjectImage(store, key);
  if (cached !== undefined) return await reuse(store, cached, seed, request);
  await using _lock = await lockProject(store, key, {
    signal,
    waitMs: longestWaitMs,
    onWait: (holder) => onProgress({ phase: 'seed', message: `${holder} is making this image` }),
  });
  const other = await findProjectImage(store, key);
  if (other !== undefined) return await reuse(store, other, seed, request);
  const message = `packing ${formatCount(seed.items.size, 'entry', 'entries')} of ${request.path}`;
  onProgress({ phase: 'seed', message });
  const draft = temporaryName(join(store.root, key));
  await makeFolder(draft);
  try {
    const file = join(draft, 'image');
    const summary = summarize(seed, request);
    const stamp = seedStamp(seed, key);
    const counts = await build(seed, draft, file, message, context);
    // From here on the second reading stands for the first, whose memory a big project needs back.
    const again = await readSeed(request, signal);
    if (seedStamp(again, await projectKey(again)) !== stamp) return undefined;
    await syncFile(file);
    await untilNextSecond(again, signal);
    return await addProjectImage(store, { key, summary: { ...summary, ...counts.summary } }, file, counts.imageBytes);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** The cached image with the counts of today: where the project lies and what Git ignores are not in the key. */
async function reuse(
  store: ProjectStore,
  cached: ProjectImage,
  seed: Seed,
  request: SeedRequest,
): Promise<ProjectImage> {
  await touchProjectImage(store, cached.key);
  if (seed.mode === 'tar_archive') return { ...cached, summary: { ...cached.summary, seed_path: request.path } };
  const summary = summarize(seed, request);
  const { upstreams, commits } = cached.summary.left_out;
  const leftOut = { ...summary.left_out, upstreams, commits };
  return { ...cached, summary: { ...summary, left_out: leftOut } };
}

function summarize(seed: Seed, request: SeedRequest): SeedSummary {
  const own = seed.mode === 'git' ? seed.checkouts[0] : undefined;
  let bytes = 0;
  for (const item of seed.items.values()) if (item.type === 'file') bytes += item.size;
  return {
    mode: seed.mode,
    seed_path: request.path,
    commit: own?.status.commit ?? null,
    branch: own?.status.branch === undefined ? null : Buffer.from(own.status.branch, 'latin1').toString('utf8'),
    dirty: own === undefined ? null : seed.checkouts.some(({ status }) => status.isDirty),
    entry_count: seed.items.size,
    bytes_written: bytes,
    left_out: { ...seed.leftOut },
  };
}

interface Built {
  readonly imageBytes: number;
  readonly summary: Partial<SeedSummary>;
}

async function build(
  seed: Seed,
  draft: string,
  file: string,
  message: string,
  context: PrepareContext,
): Promise<Built> {
  const { signal, onProgress } = context;
  if (seed.mode === 'tar_archive') return await buildFromArchive(seed, file, signal);
  let size = 0;
  for (const item of seed.items.values()) size += item.size;
  checkSize(size);
  const tree = join(draft, 'tree');
  await mkdir(tree);
  const leftOut = { ...seed.leftOut };
  if (seed.checkouts.length > 0) onProgress({ phase: 'seed', message: 'packing the newest commits', isPassing: true });
  for (const checkout of seed.checkouts) await writeGitDirectory(checkout, seed.items, leftOut, tree, signal);
  const sets = [
    { folder: seed.root, paths: pathsOf(seed.items.values()) },
    { folder: tree, paths: await listGitPaths(tree, '') },
  ];
  const tar = await startTar(sets, signal);
  const tell = createMeter(onProgress, { phase: 'seed', message, totalBytes: size });
  const writing = writeImage(tar.stdout, file, signal);
  // It flows since the image is written; whoever only counts neither starts nor holds it.
  tar.stdout.on('data', (chunk: Buffer) => tell(chunk.length));
  const [packed, written] = await Promise.allSettled([tar.done, writing]);
  // What this machine did to sqfstar is the cause of what tar then says; else it is the other way round.
  if (written.status === 'rejected' && isPyroError(written.reason, 'disk_full', 'file_size_limited'))
    throw written.reason;
  if (packed.status === 'rejected') throw packed.reason;
  if (written.status === 'fulfilled' || packed.value.exitCode < 128) checkTar(packed.value);
  if (written.status === 'rejected') throw written.reason;
  return { imageBytes: written.value, summary: { left_out: leftOut } };
}

function* pathsOf(items: Iterable<CollectedItem>): Generator<Buffer> {
  for (const { path } of items) yield path;
}

async function buildFromArchive(seed: Seed, file: string, signal: AbortSignal): Promise<Built> {
  const [item] = [...seed.items.values()];
  if (item === undefined) throw new PyroError('seed_missing', 'the archive is gone', { hint: 'call again' });
  const path = item.absolute.toString('utf8');
  const { entryCount, bytes } = await checkArchive(path, signal);
  const imageBytes = await readArchive(path, signal, (stream) => writeImage(stream, file, signal));
  return { imageBytes, summary: { entry_count: entryCount, bytes_written: bytes } };
}

/** What lies at and below each `.git` of the draft; folders above stand among the project's own items. */
async function listGitPaths(folder: string, path: string): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const entry of await readdir(join(folder, path), { withFileTypes: true })) {
    const own = path === '' ? entry.name : `${path}/${entry.name}`;
    if (/(^|\/)\.git(\/|$)/.test(own)) found.push(Buffer.from(own));
    if (entry.isDirectory()) found.push(...(await listGitPaths(folder, own)));
  }
  return found;
}

/** File systems stamp changes with a clock of some milliseconds: two writes within one tick would look alike. */
const fineTickMs = 50;
const coarseTickMs = 2000;

/** The seed once its youngest file is older than a tick, so that every later write shows; undefined if it never is. */
async function readSettledSeed(request: SeedRequest, signal: AbortSignal): Promise<Seed | undefined> {
  for (let look = 0; look < 4; look++) {
    const seed = await readSeed(request, signal);
    const now = Date.now();
    let wait = 0;
    for (const { type, ctimeMs } of seed.items.values()) {
      const left = ctimeMs + (ctimeMs % 1000 === 0 ? coarseTickMs : fineTickMs) - now;
      // A time far ahead comes from another machine's clock and says nothing.
      if (type !== 'directory' && left > 0 && left <= 2 * coarseTickMs) wait = Math.max(wait, left);
    }
    if (wait === 0) return seed;
    await sleep(Math.ceil(wait), undefined, { signal });
  }
  return undefined;
}

/**
 * The guest's git compares whole seconds. A file saved in this very second could be changed in the guest within the
 * same second and keep its size, and git would not see it: so the image is not given out before the second is over.
 */
async function untilNextSecond(seed: Seed, signal: AbortSignal): Promise<void> {
  if (seed.checkouts.length === 0) return;
  const now = Date.now();
  const second = Math.floor(now / 1000);
  for (const item of seed.items.values()) {
    if (mtimeSecondsOf(item) !== second) continue;
    await sleep((second + 1) * 1000 - now, undefined, { signal });
    return;
  }
}
