// What the frames of a guest cost: HTTP/2 lets the other side make work with a few bytes, and of work each guest has its share.

const headBytes = 9;
const dataFrame = 0;

/** Tokens of a frame by its type; one that opens a stream, or changes settings of all of them, is dear. Others cost {@link otherCost} */
const costs: ReadonlyMap<number, number> = new Map([
  [dataFrame, 1],
  [1, 20],
  [3, 4],
  [4, 20],
  [8, 1],
]);
const otherCost = 4;
/** What is no content costs a token more for so many of its `bytes`; no frame is longer than the second */
const bytesPerToken = 256;
const longestFrame = 65_536;

/** Adds up what the frames in a stream of bytes cost, however they are cut; what is no frame costs as if it were. */
export class FrameToll {
  /** Bytes that are passed over before the next head */
  #skip: number;
  #head: Buffer = Buffer.alloc(0);

  /** @param preface bytes that come before the first frame */
  constructor(preface = 0) {
    this.#skip = preface;
  }

  /** Tokens of the frames that begin in these bytes. */
  count(chunk: Buffer): number {
    let cost = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      const missing = headBytes - this.#head.length;
      const head = Buffer.concat([this.#head, chunk.subarray(at, at + missing)]);
      at += missing;
      if (head.length < headBytes) {
        this.#head = head;
        break;
      }
      this.#head = Buffer.alloc(0);
      this.#skip = head.readUIntBE(0, 3);
      const type = head.readUInt8(3);
      cost += costs.get(type) ?? otherCost;
      if (type !== dataFrame) cost += Math.floor(Math.min(this.#skip, longestFrame) / bytesPerToken);
    }
    return cost;
  }
}
