// Bytes of a stream in the portions that a format asks for.
import { PyroError } from '../shared/errors.ts';

export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #onChunk: (chunk: Buffer) => void;
  #chunk: Buffer = Buffer.alloc(0);

  /** `onChunk` sees each chunk once, in order. */
  constructor(stream: AsyncIterable<Buffer>, onChunk: (chunk: Buffer) => void = () => undefined) {
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#onChunk = onChunk;
  }

  /** Exactly this many bytes; undefined when the stream ended before the first. */
  async take(size: number): Promise<Buffer | undefined> {
    if (size === 0) return Buffer.alloc(0);
    if (this.#chunk.length === 0 && !(await this.#next())) return undefined;
    const pieces: Buffer[] = [];
    for (let left = size; left > 0; left -= pieces.at(-1)?.length ?? 0) pieces.push(await this.some(left));
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, size);
  }

  /** Exactly this many bytes. Throws `image_invalid` if the stream ends before. */
  async need(size: number): Promise<Buffer> {
    const bytes = await this.take(size);
    if (bytes === undefined) throw cutShort();
    return bytes;
  }

  /** At least one byte, at most so many. */
  async some(most: number): Promise<Buffer> {
    if (this.#chunk.length === 0 && !(await this.#next())) throw cutShort();
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }

  async skip(size: number): Promise<void> {
    for (let left = size; left > 0; ) left -= (await this.some(left)).length;
  }

  async drain(): Promise<void> {
    this.#chunk = Buffer.alloc(0);
    while (await this.#next()) this.#chunk = Buffer.alloc(0);
  }

  async #next(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return false;
      this.#onChunk(value);
      this.#chunk = value;
      if (value.length > 0) return true;
    }
  }
}

function cutShort(): PyroError {
  return new PyroError('image_invalid', 'ends in the middle of an entry');
}
