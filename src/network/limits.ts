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

/** Lets through what the limits allow in time. */
export class RateLimit {
  readonly #limits: Pick<ConnectionLimits, 'burst' | 'perSecond'>;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  constructor(limits: Pick<ConnectionLimits, 'burst' | 'perSecond'>, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#tokens = limits.burst;
    this.#filledAt = now();
  }

  /** True for one more now. */
  take(): boolean {
    const now = this.#now();
    const gained = ((now - this.#filledAt) / 1000) * this.#limits.perSecond;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

export class ConnectionGate {
  readonly #limits: ConnectionLimits;
  readonly #rate: RateLimit;
  #open = 0;

  constructor(limits: ConnectionLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#rate = new RateLimit(limits, now);
  }

  get open(): number {
    return this.#open;
  }

  /** Undefined when the connection may begin, and then {@link leave} is due once; else why not. */
  enter(): string | undefined {
    if (!this.#rate.take()) return `more than ${this.#limits.perSecond} new connections a second`;
    if (this.#open >= this.#limits.mostOpen) return `more than ${this.#limits.mostOpen} connections at once`;
    this.#open += 1;
    return undefined;
  }

  leave(): void {
    this.#open -= 1;
  }
}
