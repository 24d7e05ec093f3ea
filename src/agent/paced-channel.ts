// A guest's channel with a pace: no more of it is read in one turn than leaves others theirs, and no more frames than are due.
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { FrameToll } from './frame-toll.ts';

/** Most that is handed on in one turn, `bytes` */
const longestPiece = 64 * 1024;
/** The same where it is small frames, each of which is work, `bytes` */
const longestDensePiece = 16 * 1024;
/** Tokens of a piece from which on it is cut smaller */
const densePiece = 400;

export interface Pace {
  /** Tokens that may be spent at once after a pause; see {@link FrameToll} */
  readonly burst: number;
  /** Tokens a second for good */
  readonly perSecond: number;
}

/** An honest guest at full speed sends some 5,000 frames a second */
const usualPace: Pace = { burst: 20_000, perSecond: 20_000 };

export class PacedChannel extends Duplex {
  readonly #socket: Socket;
  readonly #toll: FrameToll;
  readonly #pace: Pace;
  #tokens: number;
  #filledAt = performance.now();
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** What was read and not handed on yet */
  #waiting: Buffer = Buffer.alloc(0);

  /** @param preface bytes that the guest sends before its first frame */
  constructor(socket: Socket, preface = 0, pace = usualPace) {
    super({ allowHalfOpen: true, readableHighWaterMark: longestPiece });
    this.#socket = socket;
    this.#toll = new FrameToll(preface);
    this.#pace = pace;
    this.#tokens = pace.burst;
    socket.on('readable', () => this.#pump());
    socket.once('end', () => this.#pump());
    socket.once('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
  }

  /** Bytes that the guest has sent so far, handed on or not: whatever comes is a sign of life. */
  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /** True when the guest has sent something already. */
  get isEarly(): boolean {
    return this.#waiting.length > 0 || this.#socket.readableLength > 0;
  }

  override _read(): void {
    this.#isWanted = true;
    this.#pump();
  }

  /** Hands on one piece and goes on in a later turn. */
  #pump(): void {
    if (!this.#isWanted || this.#timer !== undefined || this.#turn !== undefined || this.destroyed) return;
    const pauseMs = this.#refill();
    if (pauseMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#pump();
      }, pauseMs);
      return;
    }
    if (this.#waiting.length === 0) {
      const chunk: Buffer | null = this.#socket.read();
      if (chunk === null) {
        if (this.#socket.readableEnded) this.push(null);
        return;
      }
      this.#waiting = chunk;
    }
    this.#isWanted = this.push(this.#cut());
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#pump();
    });
  }

  #cut(): Buffer {
    const first = this.#waiting.subarray(0, longestDensePiece);
    const cost = this.#toll.count(first);
    this.#tokens -= cost;
    if (cost >= densePiece) return this.#take(first.length);
    const more = this.#waiting.subarray(first.length, longestPiece);
    this.#tokens -= this.#toll.count(more);
    return this.#take(first.length + more.length);
  }

  #take(length: number): Buffer {
    const piece = this.#waiting.subarray(0, length);
    this.#waiting = this.#waiting.subarray(length);
    return piece;
  }

  /** How long it is until the debt is paid, `ms`; 0 where there is none. */
  #refill(): number {
    const now = performance.now();
    const { burst, perSecond } = this.#pace;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / perSecond) * 1000);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const { chunk } of chunks.slice(0, -1)) this.#socket.write(chunk);
    this.#socket.write(chunks.at(-1)?.chunk ?? Buffer.alloc(0), done);
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#socket.destroy();
    done(error);
  }
}
