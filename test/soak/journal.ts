// What the clients of a soak asked and how it went: each call with its time, for rules and plots afterwards.

export interface CallRecord {
  /** Since the beginning, `ms` */
  readonly atMs: number;
  readonly client: string;
  readonly isHostile: boolean;
  /** Name of the tool, or a word of its own for a call that is measured */
  readonly name: string;
  readonly ms: number;
  /** Of the error that answered it */
  readonly code?: string;
  readonly words?: string;
}

/** A command that does nothing: what it takes is what a guest, the daemon and the machine make everybody wait. */
export const probe = 'exec true';
/** A list of a client that does nothing else, and whose time is its own */
export const listProbe = 'list alone';

export class Journal {
  readonly calls: CallRecord[] = [];
  /** What was not as it had to be, in the order in which it was noticed */
  readonly faults: string[] = [];
  readonly #startedAt = performance.now();

  nowMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  note(call: CallRecord): void {
    this.calls.push(call);
  }

  fault(words: string): void {
    this.faults.push(`${(this.nowMs() / 1000).toFixed(0)} s: ${words}`);
  }
}

/** The value below which this part of all lies; 0 of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
