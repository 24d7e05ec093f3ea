// Requests that HTTP/2 refuses by itself, as one with a space in its target: no event tells of them, only the numbers of streams.
import type { ServerHttp2Session } from 'node:http2';

const lookMs = 500;

/** Looks twice a second how many streams a guest has begun of which no request came. */
export class UnreadRequests implements Disposable {
  readonly #session: ServerHttp2Session;
  readonly #report: (count: number) => void;
  readonly #timer: NodeJS.Timeout;
  #heard = 0;
  #told = 0;

  constructor(session: ServerHttp2Session, report: (count: number) => void) {
    this.#session = session;
    this.#report = report;
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** A request that could be read has come. */
  heard(): void {
    this.#heard += 1;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#look();
  }

  #look(): void {
    if (this.#session.destroyed) return;
    // A client's streams have the odd numbers.
    const begun = Math.ceil((this.#session.state.lastProcStreamID ?? 0) / 2);
    const unread = begun - this.#heard;
    if (unread > this.#told) this.#report(unread - this.#told);
    this.#told = unread;
  }
}
