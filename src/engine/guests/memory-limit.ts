// The memory that guests share: reserved before anything of a guest is begun, and held until the guest is gone.
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { PyroError } from '../../shared/errors.ts';
import { formatCount, mebibyte } from '../../shared/units.ts';
import type { Paths } from '../../system/paths.ts';
import type { ProcessIdentity } from '../../system/processes.ts';
import { MemoryLedger, type Note, type NotedHolder } from './memory-ledger.ts';

/** Left to the host, `MiB` */
const reserveMib = 1024;
/** So many guests are named as ones to stop, and so many processes as ones that hold memory */
const mostNamed = 3;

export interface MemoryHolder {
  /** The workspace that could be stopped for it; undefined for a guest that ends by itself */
  readonly id: string | undefined;
  readonly memMib: number;
  /** `s` */
  readonly idleSeconds: () => number;
  /** Of a guest that outlives this process */
  readonly process?: ProcessIdentity | undefined;
}

/** A guest that no workspace can be stopped for: it ends by itself, or is not there yet. */
export function passing(memMib: number): MemoryHolder {
  return { id: undefined, memMib, idleSeconds: () => 0 };
}

interface Loan {
  readonly memMib: number;
  readonly giveBack: () => void;
}

/** What this process has given to its guests, beside what all others of this user have. */
export function sharedMemory({ state }: Pick<Paths, 'state'>): GuestMemory {
  return new GuestMemory(undefined, new MemoryLedger(join(state, 'memory')));
}

/** What one process has given to its guests. Others know of it, and it of them, by a ledger. */
export class GuestMemory {
  /** What all guests together may have, `MiB` */
  readonly limitMib: number;
  readonly #ledger: MemoryLedger | undefined;
  readonly #holders = new Set<MemoryHolder>();
  readonly #loans = new Set<Loan>();
  #isNoteDue = false;

  constructor(totalMib = Math.floor(totalmem() / mebibyte), ledger?: MemoryLedger) {
    this.limitMib = totalMib - reserveMib;
    this.#ledger = ledger;
  }

  /** Room for another guest, until it is disposed of. Throws `memory_exhausted`, with what could be stopped. */
  reserve(holder: MemoryHolder): Disposable {
    return this.#alone((others) => {
      const othersMib = total(others.flatMap(({ holders }) => holders));
      const freeMib = this.limitMib - total(this.#holders) - othersMib;
      if (holder.memMib > freeMib) throw this.#exhausted(holder.memMib, Math.max(0, freeMib), others);
      const reservation = this.note(holder);
      let overMib = total(this.#holders) + total(this.#loans) + othersMib - this.limitMib;
      // What was begun last has the least to lose.
      for (const loan of [...this.#loans].reverse()) {
        if (overMib <= 0) break;
        overMib -= loan.memMib;
        loan.giveBack();
      }
      return reservation;
    });
  }

  /** For a guest that runs already, whether there is room or not. */
  note(holder: MemoryHolder): Disposable {
    return this.#hold(this.#holders, holder);
  }

  /**
   * For work that only makes later calls quicker: undefined where there is no room. It is called back when a guest that
   * somebody of this process waits for needs the room.
   */
  lend(memMib: number, giveBack: () => void): Disposable | undefined {
    return this.#alone((others) => {
      const othersMib = total(others.flatMap(({ holders }) => holders));
      if (total(this.#holders) + total(this.#loans) + othersMib + memMib > this.limitMib) return undefined;
      return this.#hold(this.#loans, { memMib, giveBack });
    });
  }

  #hold<T>(held: Set<T>, one: T): Disposable {
    held.add(one);
    this.#write();
    return {
      [Symbol.dispose]: () => {
        if (!held.delete(one) || this.#isNoteDue) return;
        // What takes its place at once is noted with it: nobody sees the room between the two.
        this.#isNoteDue = true;
        queueMicrotask(() => {
          if (this.#isNoteDue) this.#write();
        });
      },
    };
  }

  #alone<T>(work: (others: readonly Note[]) => T): T {
    return this.#ledger === undefined ? work([]) : this.#ledger.alone(work);
  }

  #write(): void {
    this.#isNoteDue = false;
    const loans = [...this.#loans].map(({ memMib }) => ({ id: undefined, memMib }));
    this.#ledger?.write([...this.#holders, ...loans]);
  }

  #exhausted(wantedMib: number, freeMib: number, others: readonly Note[]): PyroError {
    const theirs = others.flatMap(({ holders }) => holders);
    const held: readonly NotedHolder[] = [...this.#holders, ...theirs];
    const own = [...this.#holders].map(({ id, memMib, idleSeconds }) => {
      const idle = idleSeconds();
      return { id, idle, words: `${memMib} MiB, idle ${Math.round(idle)} s` };
    });
    // How long those of others were idle is not known here.
    const foreign = theirs.map(({ id, memMib }) => ({ id, idle: 0, words: `${memMib} MiB` }));
    const stoppable = [...own, ...foreign]
      .flatMap(({ id, ...each }) => (id === undefined ? [] : [{ id, ...each }]))
      .sort((a, b) => b.idle - a.idle)
      .slice(0, mostNamed);
    const named = stoppable.map(({ id, words }) => `${id} (${words})`);
    const ways = [
      ...(named.length === 0 ? [] : [`stop or delete a workspace that you do not need: ${named.join(', ')}`]),
      ...(freeMib > 0 ? [`ask for at most ${freeMib} MiB: mem_mib`] : []),
    ];
    return new PyroError(
      'memory_exhausted',
      `a guest of ${wantedMib} MiB does not fit: ${freeMib} of ${this.limitMib} MiB are free, the rest is used by ${formatCount(held.length, 'guest')}${whose(others)}`,
      {
        hint: ways.length === 0 ? 'guests that are at work end by themselves; try again later' : ways.join('; or '),
        details: {
          held_mib: total(held),
          free_mib: freeMib,
          limit_mib: this.limitMib,
          wanted_mib: wantedMib,
          idle: stoppable.map(({ id }) => id),
        },
      },
    );
  }
}

function whose(others: readonly Note[]): string {
  const large = others
    .map(({ pid, holders }) => ({ pid, memMib: total(holders) }))
    .filter(({ memMib }) => memMib > 0)
    .sort((a, b) => b.memMib - a.memMib)
    .slice(0, mostNamed);
  if (large.length === 0) return '';
  return ` (including ${large.map(({ pid, memMib }) => `process ${pid} ${memMib} MiB`).join(', ')})`;
}

function total(parts: Iterable<{ readonly memMib: number }>): number {
  let sum = 0;
  for (const { memMib } of parts) sum += memMib;
  return sum;
}
