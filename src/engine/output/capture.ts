// Captured output of a command: head and tail within a limit, and whether it was text.

export class Capture {
  readonly #limit: number;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer = Buffer.alloc(0);
  #dropped = 0;

  /** `limit` bytes are kept in all, half of them from the end. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Buffer): void {
    const room = Math.max(0, Math.floor(this.#limit / 2) - this.#headBytes);
    if (room > 0) {
      // A copy: the frame's memory is shared with its neighbours.
      this.#head.push(Buffer.from(bytes.subarray(0, room)));
      this.#headBytes += Math.min(room, bytes.length);
    }
    if (bytes.length <= room) return;
    const joined = Buffer.concat([this.#tail, bytes.subarray(room)]);
    const over = Math.max(0, joined.length - Math.ceil(this.#limit / 2));
    this.#dropped += over;
    this.#tail = joined.subarray(over);
  }

  get isTruncated(): boolean {
    return this.#dropped > 0;
  }

  /** The text, and false for `isUtf8` when bytes had to be replaced. */
  text(): { text: string; isUtf8: boolean } {
    const parts = this.isTruncated
      ? [...this.#head, Buffer.from(`\n[… ${this.#dropped} bytes left out …]\n`), this.#tail]
      : [...this.#head, this.#tail];
    const text = Buffer.concat(parts).toString('utf8');
    return { text, isUtf8: !text.includes('\ufffd') };
  }
}
