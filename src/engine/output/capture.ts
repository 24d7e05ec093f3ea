// Captured output of a command: its beginning and its end within a limit; each byte is copied once, however small the pieces.
import { cutSizes, joinEnds } from './head-and-tail.ts';
import type { OutputText } from './text.ts';

/** Initial buffer of a capture, `bytes` */
const firstRoom = 4096;

class Capture {
  readonly #limit: number;
  readonly #headBytes: number;
  readonly #tailBytes: number;
  /** The head, and behind it the tail as a ring */
  #kept = Buffer.alloc(0);
  #size = 0;

  /** `limit` bytes are kept in all, half of them from the end. */
  constructor(limit: number) {
    ({ headBytes: this.#headBytes, tailBytes: this.#tailBytes } = cutSizes(limit));
    this.#limit = limit;
  }

  /** Copies them: the memory of a frame is shared with its neighbours. */
  add(bytes: Buffer): void {
    this.#makeRoom(Math.min(this.#limit, this.#size + bytes.length));
    const headPart = Math.min(bytes.length, Math.max(0, this.#headBytes - this.#size));
    bytes.copy(this.#kept, this.#size, 0, headPart);
    // Of a piece longer than the tail, only the end can stay.
    for (let at = Math.max(headPart, bytes.length - this.#tailBytes); at < bytes.length; ) {
      const place = this.#placeOf(this.#size + at);
      at += bytes.copy(this.#kept, place, at, Math.min(bytes.length, at + this.#limit - place));
    }
    this.#size += bytes.length;
  }

  get isTruncated(): boolean {
    return this.#size > this.#limit;
  }

  text(): OutputText {
    return joinEnds({ ...this.#ends(), size: this.#size, isOver: true }, (leftOut) => `${leftOut} bytes left out`);
  }

  #ends(): { head: Buffer; tail: Buffer } {
    if (!this.isTruncated) return { head: this.#kept.subarray(0, this.#size), tail: Buffer.alloc(0) };
    const oldest = this.#placeOf(this.#size);
    return {
      head: this.#kept.subarray(0, this.#headBytes),
      tail: Buffer.concat([this.#kept.subarray(oldest), this.#kept.subarray(this.#headBytes, oldest)]),
    };
  }

  /** Where the byte at an offset after the head is. */
  #placeOf(offset: number): number {
    return this.#headBytes + ((offset - this.#headBytes) % this.#tailBytes);
  }

  #makeRoom(needed: number): void {
    if (needed <= this.#kept.length) return;
    const grown = Buffer.alloc(Math.min(this.#limit, Math.max(needed, firstRoom, this.#kept.length * 2)));
    this.#kept.copy(grown);
    this.#kept = grown;
  }
}

export interface Captures {
  readonly stdout: Capture;
  readonly stderr: Capture;
}

/** @param limit most bytes that are kept of each */
export function newCaptures(limit: number): Captures {
  return { stdout: new Capture(limit), stderr: new Capture(limit) };
}

/** Both as a result has them */
export interface CapturedStreams {
  readonly stdout: string;
  readonly stderr: string;
  readonly stdout_truncated: boolean;
  readonly stderr_truncated: boolean;
  readonly is_utf8: boolean;
}

export function streamsOf(captures: Captures): CapturedStreams {
  const stdout = captures.stdout.text();
  const stderr = captures.stderr.text();
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    stdout_truncated: captures.stdout.isTruncated,
    stderr_truncated: captures.stderr.isTruncated,
    is_utf8: stdout.isUtf8 && stderr.isUtf8,
  };
}
