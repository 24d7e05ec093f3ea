// Standard input of a live call, on both sides: only as much comes as was asked for, so that other messages never wait behind it.
import { Readable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { inputError } from '../shared/input-error.ts';
import { inputWindow, pieceBytes } from './live-frames.ts';

export interface LiveInput {
  readonly stream: Readable;
  /** Throws `usage` for more than was asked for */
  readonly take: (bytes: Buffer) => void;
  readonly end: () => void;
  /** It cannot be read to its end: whoever reads it gets `input_failed` */
  readonly fail: (message: string) => void;
}

/** The daemon's side: asks for more as the command reads. */
export function openLiveInput(ask: (bytes: number) => void): LiveInput {
  let asked = 0;
  let hasEnded = false;
  const stream = new Readable({
    highWaterMark: inputWindow,
    read() {
      // What is read now is still counted; and with nothing on its way, nobody would come by here again.
      const room = inputWindow - stream.readableLength - asked;
      const more = asked === 0 ? Math.max(pieceBytes, room) : room;
      if (hasEnded || more < pieceBytes) return;
      asked += more;
      ask(more);
    },
  });
  // Whoever no longer reads it has said so elsewhere.
  stream.on('error', () => undefined);
  return {
    stream,
    take: (bytes) => {
      if (hasEnded || bytes.length > asked) throw new PyroError('usage', 'more input than was asked for');
      asked -= bytes.length;
      if (!stream.destroyed) stream.push(bytes);
    },
    end: () => {
      if (hasEnded) return;
      hasEnded = true;
      if (!stream.destroyed) stream.push(null);
    },
    fail: (message) => {
      if (hasEnded) return;
      hasEnded = true;
      stream.destroy(new PyroError('input_failed', message));
    },
  };
}

/** Where the pump brings it. Each throws when nobody is there any more, which the call itself notices. */
export interface InputSink {
  readonly send: (bytes: Buffer) => Promise<void>;
  readonly end: () => Promise<void>;
  readonly fail: (message: string) => Promise<void>;
}

/** The caller's side: sends what it was asked for, and begins to read only then. */
export class InputPump {
  readonly #source: Readable;
  readonly #sink: InputSink;
  readonly #over = new AbortController();
  #credit = 0;
  #wake = Promise.withResolvers<void>();
  #isRunning = false;

  constructor(source: Readable, sink: InputSink) {
    this.#source = source;
    this.#sink = sink;
  }

  allow(bytes: number): void {
    this.#credit += bytes;
    this.#wake.resolve();
    if (this.#isRunning) return;
    this.#isRunning = true;
    // Whoever no longer takes it ends it: the call itself tells the rest.
    void this.#run().catch(() => undefined);
  }

  stop(): void {
    this.#over.abort();
    this.#wake.resolve();
    if (this.#isRunning) this.#source.destroy();
  }

  async #run(): Promise<void> {
    const chunks = this.#source[Symbol.asyncIterator]();
    for (;;) {
      let next: IteratorResult<unknown>;
      try {
        next = await chunks.next();
      } catch (error) {
        // Not the end: what has come is a part that nobody must take for the whole.
        if (!this.#over.signal.aborted) await this.#sink.fail(inputError(error).message);
        return;
      }
      if (next.done === true) break;
      if (!(await this.#sendAll(bytesOf(next.value)))) return;
    }
    await this.#sink.end();
  }

  /** False when it is over before all is sent. */
  async #sendAll(bytes: Buffer): Promise<boolean> {
    for (let at = 0; at < bytes.length; ) {
      while (this.#credit === 0) {
        if (this.#over.signal.aborted) return false;
        this.#wake = Promise.withResolvers<void>();
        await this.#wake.promise;
      }
      const piece = bytes.subarray(at, at + Math.min(this.#credit, pieceBytes));
      this.#credit -= piece.length;
      at += piece.length;
      await this.#sink.send(piece);
    }
    return true;
  }
}

function bytesOf(chunk: unknown): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.from(String(chunk));
}
