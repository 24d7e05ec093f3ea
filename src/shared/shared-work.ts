// Work that several callers wait for: begun by the first, given up when the last has gone, forgotten when it failed.
import { PyroError } from './errors.ts';

type Begin<T> = (signal: AbortSignal) => Promise<T>;

interface Underway<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/** One piece of work at a time. A caller who leaves takes nobody else's result away. */
export class SharedWork<T> {
  #underway: Underway<T> | undefined;

  get isIdle(): boolean {
    return this.#underway === undefined;
  }

  /** The result of the work that is under way, else of the one that begins now. Rejects as `signal` says. */
  async join(signal: AbortSignal | undefined, begin: Begin<T>): Promise<T> {
    signal?.throwIfAborted();
    const work = this.#underway ?? this.#begin(begin);
    work.waiting++;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work.result, left]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      work.waiting--;
      if (work.waiting === 0) this.#giveUp(work);
    }
  }

  #begin(begin: Begin<T>): Underway<T> {
    const controller = new AbortController();
    const result = begin(controller.signal);
    const work = { result, controller, waiting: 0 };
    this.#underway = work;
    const forget = (): void => this.#forget(work);
    // Those who wait are told; where nobody does any more, nobody needs to be.
    result.then(forget, forget);
    return work;
  }

  /** Whoever comes from now on begins again: what was given up has no result for them. */
  #giveUp(work: Underway<T>): void {
    this.#forget(work);
    work.controller.abort(new PyroError('cancelled', 'nobody is waiting for it any more'));
  }

  #forget(work: Underway<T>): void {
    if (this.#underway === work) this.#underway = undefined;
  }
}

/** What is made once and kept; a failure is not kept. */
export class KeptWork<T> {
  readonly #making = new SharedWork<T>();
  #made: { readonly value: T } | undefined;

  /** What was made, if it was. */
  get value(): T | undefined {
    return this.#made?.value;
  }

  async join(signal: AbortSignal | undefined, begin: Begin<T>): Promise<T> {
    if (this.#made !== undefined) return this.#made.value;
    return await this.#making.join(signal, async (given) => {
      const value = await begin(given);
      this.#made = { value };
      return value;
    });
  }
}
