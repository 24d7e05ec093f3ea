// What a fuzz target is: a reader of foreign bytes, inputs to start from, and what it owes for any input.
import { isPyroError } from '../src/shared/errors.ts';
import type { Random } from './mutate.ts';

export interface Target {
  readonly examples: readonly Buffer[];
  /** Words that the reader knows, to be put into inputs */
  readonly words?: readonly string[];
  /** Longest input, `bytes`; 64 KiB unless said */
  readonly longest?: number;
  /** Makes lengths and checksums right, without which no change would get past the first look; used for half of the inputs */
  readonly mend?: (input: Buffer, random: Random) => Buffer;
  /** True for one that waits for files, sockets or a large parser: it gets a tenth of the inputs of a counted run */
  readonly isSlow?: boolean;
  /** Throws anything but an error of ours where the reader breaks its word */
  readonly run: (input: Buffer) => void | Promise<void>;
}

export const usualLongest: number = 64 * 1024;

/** Runs a reader that may refuse its input: gives what it has read, or nothing. */
export function tolerate<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isPyroError(error) && !isPyroError(error, 'internal')) return undefined;
    throw error;
  }
}

/** The same for one that may wait. */
export async function tolerateLater<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isPyroError(error) && !isPyroError(error, 'internal')) return undefined;
    throw error;
  }
}

/** The input in pieces whose sizes it decides itself: what is read in pieces must be read as the whole is. */
export function* piecesOf(input: Buffer): Generator<Buffer> {
  for (let at = 0, turn = 0; at < input.length; turn++) {
    const size = 1 + ((input[turn % 64] ?? 0) % (turn % 3 === 0 ? 3 : 97));
    yield input.subarray(at, at + size);
    at += size;
  }
}

/** What JSON can say of a value: it has no zero below zero, and no number that is larger than all. */
export function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
