// Limits on what one guest may have open at once, and on how quickly it may ask for more.

export interface ConnectionLimits {
  /** Connections that are open or being opened */
  readonly mostOpen: number;
  /** New ones that may come at once after a pause */
  readonly burst: number;
  /** New ones a second for good */
  readonly perSecond: number;
}

export const defaultLimits: ConnectionLimits = { mostOpen: 256, burst: 300, perSecond: 50 };

export class ConnectionGate {
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  #open = 0;
  #tokens: number;
  #filledAt: number;

  constructor(limits: ConnectionLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#tokens = limits.burst;
    this.#filledAt = now();
  }

  get open(): number {
    return this.#open;
  }

  /** Undefined when the connection may begin, and then {@link leave} is due once; else why not. */
  enter(): string | undefined {
    const now = this.#now();
    const gained = ((now - this.#filledAt) / 1000) * this.#limits.perSecond;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1) return `more than ${this.#limits.perSecond} new connections a second`;
    this.#tokens -= 1;
    if (this.#open >= this.#limits.mostOpen) return `more than ${this.#limits.mostOpen} connections at once`;
    this.#open += 1;
    return undefined;
  }

  leave(): void {
    this.#open -= 1;
  }
}
