// Whether files that are kept for later still hold what was put into them: read through once after a start, one at a time, slowly.
import { createHash, type Hash } from 'node:crypto';
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
  /** Digest of each {@link keptPieceBytes} of them, so that a look that is cut off goes on where it was; absent with what early versions kept */
  readonly pieces?: readonly string[] | undefined;
}

/** Files that are good or bad together. */
export interface KeptContent {
  /** What a person calls it */
  readonly label: string;
  /** Asked when its turn has come; nothing where nobody knows what they should hold */
  readonly files: () => Promise<readonly KeptFile[]>;
}

/** `good` also where nobody can tell; `gone` where a file of it was removed or replaced before it was read through. */
export type ContentState = 'good' | 'changed' | 'gone';

export const keptPieceBytes = 16 * mebibyte;

/** So much of one file is read at a time, and the thread is free in between */
const readBytes = 256 * kibibyte;
/** As fast as this at most, `bytes` in a second: a guest that reads its disk does not feel it */
const usualRate = 128 * mebibyte;
const restBytes = 4 * mebibyte;
const mostRemembered = 2000;

const begunSchema = z.object({ path: z.string(), stamp: z.string(), pieces: z.number().int().nonnegative() });
const memorySchema = z.object({
  boot: z.string(),
  /** What changes with any write, by the path of each file that was found good */
  stamps: z.record(z.string(), z.string()),
  /** The file of which so many pieces were found good when a look was cut off */
  begun: begunSchema.optional(),
});
type Memory = Omit<z.infer<typeof memorySchema>, 'boot'>;

export class ContentChecks {
  readonly #memoryFile: string;
  readonly #signal: AbortSignal;
  readonly #rate: number;
  #tail: Promise<void> = Promise.resolve();

  /** @param memoryFile remembers what was found good, for as long as the machine runs */
  constructor(memoryFile: string, signal: AbortSignal, rate = usualRate) {
    this.#memoryFile = memoryFile;
    this.#signal = signal;
    this.#rate = rate;
  }

  /** Looks when those before it are done. */
  async check(content: KeptContent): Promise<ContentState> {
    const work = this.#tail.then(() => this.#look(content));
    this.#tail = work.then(
      () => undefined,
      () => undefined,
    );
    return await work;
  }

  async #look({ files }: KeptContent): Promise<ContentState> {
    let state: ContentState = 'good';
    for (const file of await files()) {
      const stamp = await stampOf(file.path);
      if (stamp !== undefined && (await this.#remembered()).stamps[file.path] === stamp) continue;
      const isGood = stamp !== undefined && (await this.#isGood(file, stamp).catch(falseIfUnreadable));
      if (!isGood) {
        // One that was replaced or removed meanwhile has not gone bad.
        if (stamp !== undefined && (await stampOf(file.path)) === stamp) return 'changed';
        state = 'gone';
        continue;
      }
      const { stamps } = await this.#remembered();
      const others = Object.entries(stamps).filter(([path]) => path !== file.path);
      await this.#remember({ stamps: Object.fromEntries([...others.slice(1 - mostRemembered), [file.path, stamp]]) });
    }
    return state;
  }

  async #isGood(file: KeptFile, stamp: string): Promise<boolean> {
    const { path, bytes, pieces } = file;
    if (pieces?.length !== Math.ceil(bytes / keptPieceBytes))
      return (await digestOf(file, this.#rate, this.#signal)) === file.sha256;
    const { begun } = await this.#remembered();
    let done = begun?.path === path && begun.stamp === stamp ? begun.pieces : 0;
    for (; done < pieces.length; done++) {
      const from = done * keptPieceBytes;
      const piece = { path, from, bytes: Math.min(keptPieceBytes, bytes - from) };
      if ((await digestOf(piece, this.#rate, this.#signal)) !== pieces[done]) return false;
      const { stamps } = await this.#remembered();
      await this.#remember({ stamps, begun: { path, stamp, pieces: done + 1 } });
    }
    return true;
  }

  /** Read each time: other processes look through the same cache. One that cannot be read costs another look. */
  async #remembered(): Promise<Memory> {
    const kept = await readJson(this.#memoryFile, memorySchema).catch(() => undefined);
    return kept !== undefined && kept.boot === bootId() ? kept : { stamps: {} };
  }

  async #remember(memory: Memory): Promise<void> {
    await writeJson(this.#memoryFile, { boot: bootId(), ...memory }).catch(() => undefined);
  }
}

/** What a file holds now, to be held against it later. */
export async function sumsOf({ path, bytes }: Pick<KeptFile, 'path' | 'bytes'>): Promise<Omit<KeptFile, 'path'>> {
  const pieces: string[] = [];
  const whole = createHash('sha256');
  for (let from = 0; from < bytes; from += keptPieceBytes)
    pieces.push(await digestOf({ path, from, bytes: Math.min(keptPieceBytes, bytes - from), whole }));
  return { bytes, sha256: whole.digest('hex'), pieces };
}

interface Stretch {
  readonly path: string;
  /** Where it begins; by default at the start of the file */
  readonly from?: number;
  readonly bytes: number;
  /** Gets the same bytes */
  readonly whole?: Hash;
}

/** Digest of a stretch of a file, read no faster than the rate; as fast as it goes without one. */
export async function digestOf(
  { path, from = 0, bytes, whole }: Stretch,
  rate = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const room = Buffer.alloc(readBytes);
    const startedAt = performance.now();
    for (let at = 0; at < bytes; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(room, 0, Math.min(readBytes, bytes - at), from + at);
      if (bytesRead === 0) break;
      hash.update(room.subarray(0, bytesRead));
      whole?.update(room.subarray(0, bytesRead));
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

/** What a disk no longer gives is no better than what it gives wrongly; one that is gone is told apart by the caller. */
function falseIfUnreadable(error: unknown): false {
  const code = systemCodeOf(error);
  if (code === 'EIO' || code === 'ENOENT') return false;
  throw error;
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
