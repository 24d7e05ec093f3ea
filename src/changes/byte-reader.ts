// Exact numbers of bytes out of a stream of chunks.
import { PyroError } from '../shared/errors.ts';

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly this many bytes, or undefined at the very end of the stream. */
  async take(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const part = await this.some(missing);
      if (part === undefined) {
        if (missing === count) return undefined;
        throw cutShort();
      }
      parts.push(part);
      missing -= part.length;
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** Between one and `most` bytes, or undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  /** Bytes up to a newline, without it, or undefined at the end; throws when there are more than `most`. */
  async line(most: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let length = 0; length <= most; ) {
      if (this.#rest.length === 0) {
        const part = await this.some(1);
        if (part === undefined) return parts.length === 0 ? undefined : Buffer.concat(parts);
        this.#rest = Buffer.concat([part, this.#rest]);
      }
      const end = this.#rest.indexOf(0x0a);
      const part = end < 0 ? this.#rest : this.#rest.subarray(0, end);
      parts.push(part);
      length += part.length;
      this.#rest = this.#rest.subarray(end < 0 ? part.length : end + 1);
      if (end >= 0) return Buffer.concat(parts);
    }
    throw new PyroError('guest_protocol', `a line has more than ${most} bytes`);
  }

  /** Ends the source too, so that whoever writes it stops. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

export function cutShort(): PyroError {
  return new PyroError('guest_protocol', 'a stream ended early');
}
