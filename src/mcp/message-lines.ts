// Cuts the input of the server into lines, of which no more is held than a message may have.

/** A whole line, or the ends of one that is too long to be kept. */
export type MessageLine = { readonly bytes: Buffer } | { readonly head: Buffer; readonly tail: Buffer };

const lineEnd = 0x0a;
/** What is kept of either end of a line that is too long: an id stands there, `bytes` */
const keptBytes = 1024;

export class LineCutter {
  readonly #longest: number;
  #parts: Buffer[] = [];
  #size = 0;
  /** Of a line that is too long already */
  #ends: { readonly head: Buffer; tail: Buffer } | undefined;

  constructor(longest: number) {
    this.#longest = longest;
  }

  *push(chunk: Buffer): Generator<MessageLine> {
    let from = 0;
    for (let at = chunk.indexOf(lineEnd); at >= 0; at = chunk.indexOf(lineEnd, from)) {
      this.#add(chunk.subarray(from, at));
      yield this.#take();
      from = at + 1;
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
  }

  /** The last line, which may lack its end. */
  end(): MessageLine | undefined {
    return this.#size === 0 ? undefined : this.#take();
  }

  #add(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#ends !== undefined) {
      this.#ends.tail = Buffer.concat([this.#ends.tail, piece.subarray(-keptBytes)]).subarray(-keptBytes);
      return;
    }
    this.#parts.push(piece);
    if (this.#size <= this.#longest) return;
    const all = Buffer.concat(this.#parts);
    // Copies: a part of it would keep all of it.
    this.#ends = { head: Buffer.from(all.subarray(0, keptBytes)), tail: Buffer.from(all.subarray(-keptBytes)) };
    this.#parts = [];
  }

  #take(): MessageLine {
    const line = this.#ends ?? {
      bytes: this.#parts.length === 1 ? (this.#parts[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#parts),
    };
    this.#parts = [];
    this.#size = 0;
    this.#ends = undefined;
    return line;
  }
}
