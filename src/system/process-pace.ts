// Whether a process gets to run: stopped by a signal, or waiting for a processor that others have.
import { readdirSync, readFileSync } from 'node:fs';

/** True while a signal such as SIGSTOP, or a debugger, holds the process. */
export function isHeld(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  // The name in parentheses may itself hold spaces and parentheses.
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  return state === 'T' || state === 't';
}

const leastShare = 0.25;

/** Tells how much of the time since it was asked last a process could have run; other work may have had the processors. */
export class FairClock {
  readonly #pid: number | undefined;
  #waits = new Map<string, number>();
  #at: number;

  /** Without an id all time counts. */
  constructor(pid: number | undefined) {
    this.#pid = pid;
    this.#at = performance.now();
    this.#waits = this.#read();
  }

  /**
   * `ms` since the last call, at most `mostMs`, without those that its most hindered thread waited for a processor; but never
   * less than a share, so that also on a machine that is overloaded a wait ends.
   */
  lap(mostMs: number): number {
    const now = performance.now();
    const passed = Math.min(now - this.#at, mostMs);
    const before = this.#waits;
    this.#at = now;
    this.#waits = this.#read();
    let waited = 0;
    for (const [thread, ns] of this.#waits) waited = Math.max(waited, (ns - (before.get(thread) ?? ns)) / 1e6);
    return Math.max(passed * leastShare, passed - waited);
  }

  /** Of each thread the time on a run queue, `ns`; nothing where the kernel does not count it. */
  #read(): Map<string, number> {
    const waits = new Map<string, number>();
    if (this.#pid === undefined) return waits;
    const folder = `/proc/${this.#pid}/task`;
    for (const thread of list(folder)) {
      const ns = Number(read(`${folder}/${thread}/schedstat`).split(' ')[1]);
      if (Number.isFinite(ns)) waits.set(thread, ns);
    }
    return waits;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // A thread or process that has ended: it says nothing.
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // As above.
    return [];
  }
}
