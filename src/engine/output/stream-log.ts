// Output that may grow forever, on disk: addressed by byte offset, the newest bytes kept, offsets never shifted.
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isHostFault, systemCodeOf } from '../../shared/errors.ts';
import { makeFolder } from '../../system/folders.ts';

/** How many files a log is cut into, so that the oldest can go one by one. */
const segmentsPerLog = 8;
const nameDigits = 16;

interface Segment {
  readonly start: number;
  size: number;
}

export interface LogSlice {
  /** Offset of the first byte; higher than asked for where older bytes are gone */
  readonly from: number;
  readonly bytes: Buffer;
}

/** Files named by the offset of their first byte; no other record is needed. One writer at a time. */
export class StreamLog implements AsyncDisposable {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #segments: Segment[];
  #writer: { readonly start: number; readonly file: FileHandle } | undefined;
  #next = Promise.withResolvers<void>();

  private constructor(folder: string, keptBytes: number, segments: Segment[]) {
    this.#folder = folder;
    this.#segmentBytes = Math.ceil(keptBytes / segmentsPerLog);
    this.#segments = segments;
  }

  static async open(folder: string, keptBytes: number): Promise<StreamLog> {
    await makeFolder(folder);
    const segments: Segment[] = [];
    for (const name of (await readdir(folder)).filter((each) => /^\d{16}$/.test(each)).sort()) {
      await using file = await open(join(folder, name), 'r');
      segments.push({ start: Number(name), size: (await file.stat()).size });
    }
    return new StreamLog(folder, keptBytes, segments);
  }

  /** Offset of the oldest byte that is kept. */
  get start(): number {
    return this.#segments[0]?.start ?? 0;
  }

  /** Offset after the newest byte. */
  get end(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.start + last.size;
  }

  /** A disk that takes nothing costs these bytes, which become a gap, but never ends the writer. */
  async append(bytes: Uint8Array): Promise<void> {
    const end = this.end + bytes.length;
    try {
      for (let at = 0; at < bytes.length; ) {
        const segment = await this.#writable(this.end);
        const part = bytes.subarray(at, at + this.#segmentBytes - segment.size);
        await this.#write(segment, part);
        at += part.length;
      }
    } catch (error) {
      if (!isHostFault(error)) throw error;
      await this.skip(end);
    }
    this.notify();
  }

  /** Continues at a later offset: what is in between was lost on the way. */
  async skip(offset: number): Promise<void> {
    if (offset > this.end) {
      // Adjacent gaps are merged, or empty files would push out what is kept.
      const empty = this.#segments.at(-1)?.size === 0 ? this.#segments.pop() : undefined;
      await this.#begin(offset);
      if (empty !== undefined) await rm(this.#path(empty.start), { force: true });
    }
    this.notify();
  }

  /** At most `length` bytes from an offset on, or from the oldest byte that follows it. */
  async read(offset: number, length: number): Promise<LogSlice> {
    for (;;) {
      const at = this.#segments.find(({ start, size }) => offset < start + size);
      // After a gap at the end nothing has come yet.
      const from = Math.max(offset, at?.start ?? this.end);
      const parts: Buffer[] = [];
      let next = from;
      try {
        for (const { start, size } of this.#segments.slice()) {
          const left = from + length - next;
          if (next < start || next >= start + size || left <= 0) continue;
          const part = await this.#readPart(start, next - start, Math.min(left, start + size - next));
          parts.push(part);
          next += part.length;
        }
        return { from, bytes: Buffer.concat(parts) };
      } catch (error) {
        // The oldest file went while it was read: look again at what is left.
        if (systemCodeOf(error) !== 'ENOENT' || from >= this.start) throw error;
      }
    }
  }

  /** Settles at the next output, or when waiters should look again. */
  changed(): Promise<void> {
    return this.#next.promise;
  }

  notify(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  /** Discards everything. */
  async clear(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#segments.length = 0;
    await rm(this.#folder, { recursive: true, force: true });
    await makeFolder(this.#folder);
    this.notify();
  }

  /** Closes the file; the next append opens it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.file.close();
  }

  async #writable(offset: number): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.size < this.#segmentBytes) return last;
    return await this.#begin(offset);
  }

  async #begin(start: number): Promise<Segment> {
    await this[Symbol.asyncDispose]();
    const segment = { start, size: 0 };
    this.#segments.push(segment);
    while (this.#segments.length > segmentsPerLog + 1) {
      const oldest = this.#segments.shift();
      if (oldest !== undefined) await rm(this.#path(oldest.start), { force: true });
    }
    return segment;
  }

  async #write(segment: Segment, bytes: Uint8Array): Promise<void> {
    const { start } = segment;
    if (this.#writer?.start !== start) {
      await this[Symbol.asyncDispose]();
      this.#writer = { start, file: await open(this.#path(start), 'a', 0o600) };
    }
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#writer.file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
      segment.size += bytesWritten;
    }
  }

  async #readPart(start: number, at: number, length: number): Promise<Buffer> {
    await using file = await open(this.#path(start), 'r');
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, at);
    return buffer.subarray(0, bytesRead);
  }

  #path(start: number): string {
    return join(this.#folder, String(start).padStart(nameDigits, '0'));
  }
}
