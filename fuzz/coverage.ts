// What of our source an input has reached: V8's own counts of blocks, asked for after each batch.
import { Session } from 'node:inspector';

export class Coverage implements Disposable {
  readonly #session = new Session();
  readonly #root: string;
  /** Reached by one input alone */
  readonly #seen = new Set<string>();
  /** Reached by a batch, where blocks are told apart otherwise than for one input: it is only a hint */
  readonly #hinted = new Set<string>();
  /** The same without counts */
  readonly #blocks = new Set<string>();

  /** `root` is the address of the folder whose files count. */
  constructor(root: string) {
    this.#root = root;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that were reached so far by inputs run alone */
  get blocks(): number {
    return this.#blocks.size;
  }

  /** True when a batch, or a part of one, has reached a block that no input before it had. */
  isBatchNew(): boolean {
    return addAll(this.#hinted, this.#take(false));
  }

  /** True when inputs that were run since the last look have reached a block that none has reached alone. */
  isPartNew(): boolean {
    for (const block of this.#take(false)) if (!this.#blocks.has(block)) return true;
    return false;
  }

  /** True when one input, run alone since the last look, has reached something new, or more often than any before. */
  isInputNew(): boolean {
    const reached = this.#take(true);
    for (const each of reached) this.#blocks.add(each.split(' ')[0] ?? '');
    return addAll(this.#seen, reached);
  }

  /** With counts each block is named with how often it was reached, in powers of two. */
  #take(hasCounts: boolean): Set<string> {
    const reached = new Set<string>();
    this.#session.post('Profiler.takePreciseCoverage', (failure, coverage) => {
      if (failure !== null) throw failure;
      for (const { url, functions } of coverage.result) {
        if (!url.startsWith(this.#root)) continue;
        for (const { startOffset, endOffset, count } of functions.flatMap(({ ranges }) => ranges)) {
          if (count === 0) continue;
          const block = `${url.slice(this.#root.length)}:${startOffset}-${endOffset}`;
          reached.add(hasCounts ? `${block} ${Math.min(Math.floor(Math.log2(count)), 8)}` : block);
        }
      }
    });
    return reached;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}

function addAll(known: Set<string>, reached: ReadonlySet<string>): boolean {
  const before = known.size;
  for (const each of reached) known.add(each);
  return known.size > before;
}
