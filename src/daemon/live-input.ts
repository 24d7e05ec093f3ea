// Standard input of a live call, on both sides: only as much comes as was asked for, so that other messages never wait behind it.
import { Readable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { inputWindow, pieceBytes } from './live-frames.ts';

export interface LiveInput {
  readonly stream: Readable;
  /** Throws `usage` for more than was asked for */
  readonly take: (bytes: Buffer) => void;
  readonly end: () => void;
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
  };
}

/** The caller's side: sends what it was asked for, and begins to read only then. */
export class InputPump {
  readonly #source: Readable;
  readonly #send: (bytes: Buffer) => Promise<void>;
  readonly #end: () => Promise<void>;
  readonly #over = new AbortController();
  #credit = 0;
  #wake = Promise.withResolvers<void>();
  #isRunning = false;

  constructor(source: Readable, send: (bytes: Buffer) => Promise<void>, end: () => Promise<void>) {
    this.#source = source;
    this.#send = send;
    this.#end = end;
  }

  allow(bytes: number): void {
    this.#credit += bytes;
    this.#wake.resolve();
    if (this.#isRunning) return;
    this.#isRunning = true;
    // Whoever no longer takes it, or a source that breaks off, ends it: the call itself tells the rest.
    void this.#run().catch(() => this.#end().catch(() => undefined));
  }

  stop(): void {
    this.#over.abort();
    this.#wake.resolve();
    if (this.#isRunning) this.#source.destroy();
  }

  async #run(): Promise<void> {
    for await (const chunk of this.#source) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      for (let at = 0; at < bytes.length; ) {
        while (this.#credit === 0) {
          if (this.#over.signal.aborted) return;
          this.#wake = Promise.withResolvers<void>();
          await this.#wake.promise;
        }
        const piece = bytes.subarray(at, at + Math.min(this.#credit, pieceBytes));
        this.#credit -= piece.length;
        at += piece.length;
        await this.#send(piece);
      }
    }
    await this.#end();
  }
}
