// How a guest is: paused, silent or well; and work with it, which is given up as soon as it cannot go on.
import type { PyroError } from '../shared/errors.ts';
import { waitForAny } from '../shared/waiting.ts';
import { Heartbeat, type Pulse } from './heartbeat.ts';
import type { SpaceWatch } from './space-watch.ts';
import type { Trouble } from './trouble.ts';

/** How long a call waits for a guest that is known to be in trouble, `ms`: it may be over just now */
const secondLookMs = 1000;
/** A pause is over, or trouble, before this, `ms` */
const longestPauseMs = 10_000;

/** What is known of pauses of a guest. */
export type Pauses = Pick<SpaceWatch, 'isPaused' | 'pause' | 'trouble'> & Disposable;

export class GuestHealth implements Disposable {
  readonly #pauses: Pauses | undefined;
  readonly #heartbeat: Heartbeat;
  /** Who works with it, and who waits for it to be fit for that */
  readonly #waiting = new Set<(error: PyroError) => void>();
  readonly #looking = new Set<() => void>();

  /** @param watchPauses begins to watch for pauses, and calls back when one has become trouble; absent where none can come */
  constructor(pulse: Omit<Pulse, 'isExcused'>, watchPauses?: (onChange: () => void) => Pauses) {
    const onChange = (): void => this.#tell();
    this.#pauses = watchPauses?.(onChange);
    this.#heartbeat = new Heartbeat({ ...pulse, isExcused: () => this.#pauses?.isPaused === true }, onChange);
  }

  get trouble(): Trouble | undefined {
    return this.#pauses?.trouble ?? this.#heartbeat.trouble;
  }

  /** Throws the error of a trouble that there is or that comes meanwhile; what was begun goes on with the guest. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    const { promise: told, reject } = Promise.withResolvers<never>();
    told.catch(() => undefined);
    using _attention = this.#heartbeat.attend();
    await this.#untilFit();
    this.#waiting.add(reject);
    try {
      const result = work();
      // Whoever is told first does not hear of its end.
      result.catch(() => undefined);
      return await Promise.race([result, told]);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  [Symbol.dispose](): void {
    this.#pauses?.[Symbol.dispose]();
    this.#heartbeat[Symbol.dispose]();
  }

  /** A pause may end, and a silent guest answer, while one looks. */
  async #untilFit(): Promise<void> {
    const pause = this.#pauses?.pause;
    if (pause !== undefined) await this.#change(pause, this.trouble === undefined ? longestPauseMs : secondLookMs);
    if (this.#heartbeat.trouble !== undefined) await this.#change(undefined, secondLookMs);
    if (this.trouble !== undefined) throw this.trouble.error;
  }

  /** Waits for the next change of how the guest is. */
  async #change(over: Promise<void> | undefined, mostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#looking.add(resolve);
    try {
      await waitForAny(over === undefined ? [promise] : [promise, over], mostMs);
    } finally {
      this.#looking.delete(resolve);
    }
  }

  #tell(): void {
    const { trouble } = this;
    for (const wake of this.#looking) wake();
    if (trouble !== undefined) for (const tell of this.#waiting) tell(trouble.error);
  }
}
