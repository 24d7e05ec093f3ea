// Layers on disk, named by digest: downloaded once, resumed when a connection breaks, checked on the way.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, PyroError } from '../shared/errors.ts';
import { exists } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import type { Registry } from './registry.ts';
import { blobsFolder, type Store } from './store.ts';

const tries = 5;
const idleMs = 30_000;

export interface BlobPlan {
  readonly digest: string;
  readonly size: number;
}

export function blobPath(store: Store, digest: string): string {
  return join(blobsFolder(store), digest.replace('sha256:', ''));
}

/** Gets a blob unless it is there. Throws `digest_mismatch`, `registry_unreachable`, `registry_error`. */
export async function fetchBlob(
  store: Store,
  registry: Registry,
  plan: BlobPlan,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<string> {
  const path = blobPath(store, plan.digest);
  if (await exists(path)) {
    onBytes(plan.size);
    return path;
  }
  await makeFolder(blobsFolder(store));
  const partial = `${path}.partial`;
  for (let attempt = 1; ; attempt++) {
    const failure = await attemptDownload(registry, plan, partial, signal, onBytes);
    if (failure === undefined) break;
    signal.throwIfAborted();
    if (failure instanceof PyroError) throw failure;
    if (attempt >= tries) {
      throw new PyroError(
        'registry_unreachable',
        `the download of ${plan.digest.slice(0, 19)} broke off ${tries} times: ${messageOf(failure)}`,
        {
          hint: 'run the same command again: it goes on where it stopped',
          cause: failure,
        },
      );
    }
    await sleep(100 * 2 ** attempt, undefined, { signal });
  }
  const actual = await hashOf(partial);
  if (actual !== plan.digest) {
    await rm(partial, { force: true });
    throw new PyroError('digest_mismatch', `the registry sent other bytes than ${plan.digest} promises`, {
      hint: 'try again; if it stays so, the image in the registry is damaged',
      details: { expected: plan.digest, actual },
    });
  }
  await rename(partial, path);
  return path;
}

/** Goes on behind what the partial file holds; gives back what stopped it. */
async function attemptDownload(
  registry: Registry,
  plan: BlobPlan,
  partial: string,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<unknown> {
  let offset = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (offset >= plan.size && plan.size > 0) return undefined;
  try {
    const response = await registry.blob(plan.digest, offset);
    if (response.status !== 206) offset = 0;
    const file = await open(partial, offset === 0 ? 'w' : 'a', 0o600);
    try {
      onBytes(offset);
      for await (const chunk of withIdleLimit(response, signal)) {
        offset += chunk.length;
        if (offset > plan.size)
          throw new PyroError(
            'digest_mismatch',
            `the registry sends more than the ${plan.size} bytes of ${plan.digest}`,
          );
        await file.write(chunk);
        onBytes(chunk.length);
      }
    } finally {
      await file.close();
    }
    return offset === plan.size ? undefined : new Error(`${offset} of ${plan.size} bytes came`);
  } catch (error) {
    onBytes(-offset);
    return error;
  }
}

async function* withIdleLimit(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const idle = AbortSignal.any([signal, AbortSignal.timeout(idleMs)]);
      const { promise: stopped, reject } = Promise.withResolvers<never>();
      const onAbort = (): void => reject(idle.reason);
      idle.addEventListener('abort', onAbort, { once: true });
      try {
        const { done, value } = await Promise.race([reader.read(), stopped]);
        if (done) return;
        yield value;
      } finally {
        idle.removeEventListener('abort', onAbort);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
