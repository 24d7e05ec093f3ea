// One thing at a time, in the order asked for.

export class Mutex {
  #last: Promise<void> = Promise.resolve();

  /** Runs the work when all earlier work is over, whatever came of it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }
}
