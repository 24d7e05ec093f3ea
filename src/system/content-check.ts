// Whether files that are kept for later still hold what was put into them: read through once after a start, one at a time, slowly.
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { systemCodeOf } from '../shared/errors.ts';
import { kibibyte, mebibyte } from '../shared/units.ts';
import { readJson, writeJson } from './files.ts';
import { bootId } from './processes.ts';

export interface KeptFile {
  readonly path: string;
  /** Bytes that count, from the start of the file */
  readonly bytes: number;
  /** Digest of them, hexadecimal */
  readonly sha256: string;
}

/** Files that are good or bad together. */
export interface KeptContent {
  /** What a person calls it */
  readonly label: string;
  /** Asked when its turn has come; nothing where nobody knows what they should hold */
  readonly files: () => Promise<readonly KeptFile[]>;
}

/** So much of one file is read at a time, and the thread is free in between */
const pieceBytes = 256 * kibibyte;
/** As fast as this at most, `bytes` in a second: a guest that reads its disk does not feel it */
const usualRate = 128 * mebibyte;
const restBytes = 4 * mebibyte;
const mostRemembered = 2000;

const memorySchema = z.object({ boot: z.string(), stamps: z.record(z.string(), z.string()) });

export class ContentChecks {
  readonly #memoryFile: string;
  readonly #signal: AbortSignal;
  readonly #rate: number;
  #stamps: Map<string, string> | undefined;
  #tail: Promise<void> = Promise.resolve();

  /** @param memoryFile remembers what was found good, for as long as the machine runs */
  constructor(memoryFile: string, signal: AbortSignal, rate = usualRate) {
    this.#memoryFile = memoryFile;
    this.#signal = signal;
    this.#rate = rate;
  }

  /** Looks when those before it are done. True when all is as it was, or nobody can tell; false when bytes have changed. */
  async check(content: KeptContent): Promise<boolean> {
    const work = this.#tail.then(() => this.#look(content));
    this.#tail = work.then(
      () => undefined,
      () => undefined,
    );
    return await work;
  }

  async #look({ files }: KeptContent): Promise<boolean> {
    const stamps = await this.#remembered();
    for (const file of await files()) {
      const stamp = await stampOf(file.path);
      if (stamp === undefined || stamps.get(file.path) === stamp) continue;
      if ((await digestOf(file, this.#rate, this.#signal)) !== file.sha256) {
        // One that was replaced or removed meanwhile has not gone bad.
        if ((await stampOf(file.path)) === stamp) return false;
        continue;
      }
      stamps.delete(file.path);
      stamps.set(file.path, stamp);
      await this.#remember(stamps);
    }
    return true;
  }

  async #remembered(): Promise<Map<string, string>> {
    if (this.#stamps === undefined) {
      // A memory that cannot be read costs another look.
      const kept = await readJson(this.#memoryFile, memorySchema).catch(() => undefined);
      this.#stamps = new Map(kept !== undefined && kept.boot === bootId() ? Object.entries(kept.stamps) : []);
    }
    return this.#stamps;
  }

  async #remember(stamps: Map<string, string>): Promise<void> {
    const newest = Object.fromEntries([...stamps].slice(-mostRemembered));
    await writeJson(this.#memoryFile, { boot: bootId(), stamps: newest }).catch(() => undefined);
  }
}

/** Digest of the first bytes of a file, read no faster than the rate; as fast as it goes without one. */
export async function digestOf(
  { path, bytes }: Omit<KeptFile, 'sha256'>,
  rate = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const piece = Buffer.alloc(pieceBytes);
    const startedAt = performance.now();
    for (let at = 0; at < bytes; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(piece, 0, Math.min(pieceBytes, bytes - at), at);
      if (bytesRead === 0) break;
      hash.update(piece.subarray(0, bytesRead));
      const isRest = Math.floor((at + bytesRead) / restBytes) > Math.floor(at / restBytes);
      at += bytesRead;
      const aheadMs = (at / rate) * 1000 - (performance.now() - startedAt);
      if (isRest && aheadMs > 1) await sleep(aheadMs, undefined, { signal, ref: false });
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** What changes with any write; undefined where there is no such file. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
