// Bytes of a stream in the portions that a format asks for.

export interface ByteReaderOptions {
  /** The error for a stream that ends in the middle of something */
  readonly cutShort: () => Error;
  /** Sees each chunk once, in order */
  readonly onChunk?: (chunk: Buffer) => void;
}

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #options: ByteReaderOptions;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>, options: ByteReaderOptions) {
    this.#source = source[Symbol.asyncIterator]();
    this.#options = options;
  }

  /** Exactly this many bytes, or undefined at the very end of the stream. */
  async take(count: number): Promise<Buffer | undefined> {
    if (count === 0) return Buffer.alloc(0);
    const first = await this.some(count);
    if (first === undefined || first.length === count) return first;
    const parts = [first];
    for (let missing = count - first.length; missing > 0; missing -= parts.at(-1)?.length ?? 0)
      parts.push(await this.next(missing));
    return Buffer.concat(parts, count);
  }

  /** Exactly this many bytes; the end of the stream is a failure. */
  async need(count: number): Promise<Buffer> {
    const bytes = await this.take(count);
    if (bytes === undefined) throw this.#options.cutShort();
    return bytes;
  }

  /** Between one and `most` bytes, or undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    if (!(await this.#fill())) return undefined;
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  /** The same; the end of the stream is a failure. */
  async next(most: number): Promise<Buffer> {
    const part = await this.some(most);
    if (part === undefined) throw this.#options.cutShort();
    return part;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.next(left)).length;
  }

  /** Bytes up to a newline, without it, or undefined at the end; more than `most` are a failure. */
  async line(most: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let length = 0; length <= most; ) {
      if (!(await this.#fill())) return parts.length === 0 ? undefined : Buffer.concat(parts);
      const end = this.#rest.indexOf(0x0a);
      const part = end < 0 ? this.#rest : this.#rest.subarray(0, end);
      parts.push(part);
      length += part.length;
      this.#rest = this.#rest.subarray(end < 0 ? part.length : end + 1);
      if (end >= 0) return Buffer.concat(parts);
    }
    throw this.#options.cutShort();
  }

  /** Ends the source too, so that whoever writes it stops. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  /** False at the end of the stream, true where something is left of it. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
      this.#options.onChunk?.(this.#rest);
    }
    return true;
  }
}
