// Tells whether contents can stand in a text patch: UTF-8 without zero bytes.

/** How far Git looks for a zero byte, `bytes` */
const gitLooks = 8000;

export class TextProbe {
  isText = true;
  /** True when one of the contents has a zero byte where Git looks for one */
  isPlainlyBinary = false;
  #seen = 0;
  #decoder = new TextDecoder('utf-8', { fatal: true });

  begin(): void {
    this.#seen = 0;
    this.#decoder = new TextDecoder('utf-8', { fatal: true });
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
    if (chunk.includes(0)) this.isText = false;
    else this.#decode(chunk);
  }

  #decode(chunk: Buffer | undefined): void {
    try {
      if (chunk === undefined) this.#decoder.decode();
      else this.#decoder.decode(chunk, { stream: true });
    } catch {
      // Not UTF-8: that is the answer.
      this.isText = false;
    }
  }
}
