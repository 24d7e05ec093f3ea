// Tells whether contents can stand in a text patch: UTF-8 without zero bytes.

/** How far Git looks for a zero byte, `bytes` */
const gitLooks = 8000;

/** For one path after the other: a decoder each would take more memory than most contents do. */
export class TextProbe {
  isText = true;
  /** True when one of the contents has a zero byte where Git looks for one */
  isPlainlyBinary = false;
  #seen = 0;
  #decoder = new TextDecoder('utf-8', { fatal: true });

  /** For the contents of another path */
  reset(): void {
    this.isText = true;
    this.isPlainlyBinary = false;
  }

  begin(): void {
    this.#seen = 0;
  }

  async *watch(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      if (this.#seen < gitLooks && chunk.subarray(0, gitLooks - this.#seen).includes(0)) this.isPlainlyBinary = true;
      this.#seen += chunk.length;
      if (this.isText) this.#check(chunk);
      yield chunk;
    }
  }

  end(): void {
    if (this.isText) this.#decode(undefined);
  }

  #check(chunk: Buffer): void {
    if (chunk.includes(0)) this.#giveUp();
    else this.#decode(chunk);
  }

  #giveUp(): void {
    this.isText = false;
    // What it has begun is of no use to the next content.
    this.#decoder = new TextDecoder('utf-8', { fatal: true });
  }

  #decode(chunk: Buffer | undefined): void {
    try {
      if (chunk === undefined) this.#decoder.decode();
      else this.#decoder.decode(chunk, { stream: true });
    } catch {
      // Not UTF-8: that is the answer.
      this.#giveUp();
    }
  }
}
