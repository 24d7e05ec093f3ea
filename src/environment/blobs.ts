// Layers on disk, named by digest: downloaded once, resumed when a connection breaks, checked on the way.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { ownFileSize } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { acquireLock } from '../system/lock.ts';
import type { Registry } from './registry.ts';
import { BrokenTransfer, bodyOf, pauseAfter } from './registry-http.ts';
import { blobsFolder, locksFolder, type Store } from './store.ts';

/** Tries in a row that brought nothing worth mentioning. */
const tries = 5;
const worthMentioning = mebibyte;
const lockWaitMs = 900_000;

export interface BlobPlan {
  readonly digest: string;
  readonly size: number;
}

export interface BlobDownload {
  readonly store: Store;
  readonly registry: Registry;
  readonly plan: BlobPlan;
  readonly signal: AbortSignal;
  /** Called with the bytes that are there so far */
  readonly onDone: (bytes: number) => void;
}

/** Gets a blob unless it is there. Throws `digest_mismatch`, `registry_unreachable`, `registry_error`. */
export async function fetchBlob(download: BlobDownload): Promise<string> {
  const { store, plan, signal } = download;
  const hex = plan.digest.replace('sha256:', '');
  const path = join(blobsFolder(store), hex);
  await makeFolder(blobsFolder(store));
  // Two images that share a layer may come at the same time; one partial file serves both.
  await using _lock = await acquireLock(join(locksFolder(store), `blob-${hex}`), { signal, waitMs: lockWaitMs });
  if ((await ownFileSize(path)) !== plan.size) {
    const partial = `${path}.partial`;
    // A link would lead what comes to another file, a pipe would be waited for.
    if ((await ownFileSize(partial)) === undefined) await rm(partial, { force: true });
    try {
      await downloadAll(download, partial);
      await rename(partial, path);
    } catch (error) {
      // After a broken network the next pull continues where this one stopped; nobody resumes what was cancelled.
      const isNetwork = isPyroError(signal.aborted ? signal.reason : error, 'registry_unreachable', 'registry_error');
      if (!isNetwork) await rm(partial, { force: true });
      throw error;
    }
  }
  download.onDone(plan.size);
  return path;
}

async function downloadAll(download: BlobDownload, partial: string): Promise<void> {
  const { plan, signal } = download;
  let best = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await downloadRest(download, partial);
    } catch (error) {
      if (!(error instanceof BrokenTransfer)) throw error;
      const size = (await ownFileSize(partial)) ?? 0;
      if (size >= best + worthMentioning) attempt = 1;
      best = Math.max(best, size);
      if (attempt >= tries) {
        const message = `the download of ${plan.digest.slice(0, 19)} was cut off ${tries} times: ${error.message}`;
        throw new PyroError('registry_unreachable', message, {
          hint: 'run the same command again: it resumes where it stopped',
          cause: error,
        });
      }
      await pauseAfter(attempt, download.registry.limits, signal);
    }
  }
}

/** Goes on behind what the partial file holds, to the end. */
async function downloadRest({ registry, plan, signal, onDone }: BlobDownload, partial: string): Promise<void> {
  let offset = (await ownFileSize(partial)) ?? 0;
  if (offset >= plan.size) offset = 0;
  const response = await registry.blob(plan.digest, offset, signal);
  if (response.status === 416) {
    await response.body?.cancel();
    await rm(partial, { force: true });
    throw new BrokenTransfer('the registry does not resume at this offset');
  }
  if (response.status !== 206 || !startsAt(response, offset)) {
    if (response.status === 206) {
      await response.body?.cancel();
      await rm(partial, { force: true });
      throw new BrokenTransfer('the registry answered with a different range');
    }
    offset = 0;
  }
  const hash = createHash('sha256');
  if (offset > 0) for await (const chunk of createReadStream(partial, { end: offset - 1 })) hash.update(chunk);
  const file = await open(partial, offset === 0 ? 'w' : 'a', 0o600);
  try {
    onDone(offset);
    for await (const chunk of bodyOf(response, signal, registry.limits.idleMs)) {
      offset += chunk.length;
      if (offset > plan.size) throw mismatch(plan, `more than the ${plan.size} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
      onDone(offset);
    }
  } finally {
    await file.close();
  }
  if (offset < plan.size) throw new BrokenTransfer(`only ${offset} of ${plan.size} bytes`);
  if (`sha256:${hash.digest('hex')}` !== plan.digest) throw mismatch(plan, 'other bytes');
}

function startsAt(response: Response, offset: number): boolean {
  const range = response.headers.get('content-range');
  return range === null || range.startsWith(`bytes ${offset}-`);
}

function mismatch(plan: BlobPlan, what: string): PyroError {
  return new PyroError('digest_mismatch', `the registry sent ${what} for ${plan.digest}`, {
    hint: 'run the same command again; if it keeps failing, the image in the registry is damaged',
    details: { expected: plan.digest },
  });
}
