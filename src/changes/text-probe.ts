// Tells whether contents can stand in a text patch: UTF-8 without zero bytes.

export class TextProbe {
  isText = true;
  #decoder = new TextDecoder('utf-8', { fatal: true });

  begin(): void {
    this.#decoder = new TextDecoder('utf-8', { fatal: true });
  }

  async *watch(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
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
