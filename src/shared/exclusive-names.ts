// Names of what is being made: taken at once, before anything is waited for, and free again when the maker is done.

export class ExclusiveNames {
  readonly #taken = new Set<string>();

  /** Undefined while someone else has the name. */
  take(name: string): Disposable | undefined {
    if (this.#taken.has(name)) return undefined;
    this.#taken.add(name);
    return { [Symbol.dispose]: () => void this.#taken.delete(name) };
  }

  /** How many there are together with those that are made already. */
  countWith(made: Iterable<string>): number {
    return new Set([...this.#taken, ...made]).size;
  }
}
