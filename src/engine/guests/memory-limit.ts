// The memory that guests share: reserved before anything of a guest is begun, and held until the guest is gone.
import { totalmem } from 'node:os';
import { PyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';

/** Left to the host, `MiB` */
const reserveMib = 1024;
/** So many guests are named as ones to stop */
const mostNamed = 3;

export interface MemoryHolder {
  /** The workspace that could be stopped for it; undefined for a guest that ends by itself */
  readonly id: string | undefined;
  readonly memMib: number;
  /** `s` */
  readonly idleSeconds: () => number;
}

/** A guest that no workspace can be stopped for: it ends by itself, or is not there yet. */
export function passing(memMib: number): MemoryHolder {
  return { id: undefined, memMib, idleSeconds: () => 0 };
}

interface Loan {
  readonly memMib: number;
  readonly giveBack: () => void;
}

/** What one process has given to its guests. */
export class GuestMemory {
  readonly #limitMib: number;
  readonly #holders = new Set<MemoryHolder>();
  readonly #loans = new Set<Loan>();

  constructor(totalMib = Math.floor(totalmem() / mebibyte)) {
    this.#limitMib = totalMib - reserveMib;
  }

  /** Room for another guest, until it is disposed of. Throws `memory_exhausted`, with what could be stopped. */
  reserve(holder: MemoryHolder): Disposable {
    const freeMib = this.#limitMib - total(this.#holders);
    if (holder.memMib > freeMib) throw this.#exhausted(holder.memMib, Math.max(0, freeMib));
    const reservation = this.note(holder);
    let overMib = total(this.#holders) + total(this.#loans) - this.#limitMib;
    // What was begun last has the least to lose.
    for (const loan of [...this.#loans].reverse()) {
      if (overMib <= 0) break;
      overMib -= loan.memMib;
      loan.giveBack();
    }
    return reservation;
  }

  /** For a guest that runs already, whether there is room or not. */
  note(holder: MemoryHolder): Disposable {
    this.#holders.add(holder);
    return { [Symbol.dispose]: () => void this.#holders.delete(holder) };
  }

  /**
   * For work that only makes later calls quicker: undefined where there is no room. It is called back when a guest that
   * somebody waits for needs the room.
   */
  lend(memMib: number, giveBack: () => void): Disposable | undefined {
    if (total(this.#holders) + total(this.#loans) + memMib > this.#limitMib) return undefined;
    const loan = { memMib, giveBack };
    this.#loans.add(loan);
    return { [Symbol.dispose]: () => void this.#loans.delete(loan) };
  }

  #exhausted(wantedMib: number, freeMib: number): PyroError {
    const held = [...this.#holders];
    const stoppable = held
      .flatMap(({ id, memMib, idleSeconds }) => (id === undefined ? [] : [{ id, memMib, idle: idleSeconds() }]))
      .sort((a, b) => b.idle - a.idle)
      .slice(0, mostNamed);
    const named = stoppable.map(({ id, memMib, idle }) => `${id} (${memMib} MiB, idle ${Math.round(idle)} s)`);
    const ways = [
      ...(named.length === 0 ? [] : [`stop or delete a workspace that is not needed: ${named.join(', ')}`]),
      ...(freeMib > 0 ? [`ask for at most ${freeMib} MiB: mem_mib`] : []),
    ];
    return new PyroError(
      'memory_exhausted',
      `a guest of ${wantedMib} MiB does not fit: ${freeMib} of ${this.#limitMib} MiB are free, ${held.length} guests hold the rest`,
      {
        hint: ways.length === 0 ? 'guests that are at work end by themselves: try again then' : ways.join('; or '),
        details: {
          held_mib: total(held),
          free_mib: freeMib,
          limit_mib: this.#limitMib,
          wanted_mib: wantedMib,
          idle: stoppable.map(({ id }) => id),
        },
      },
    );
  }
}

function total(parts: Iterable<{ readonly memMib: number }>): number {
  let sum = 0;
  for (const { memMib } of parts) sum += memMib;
  return sum;
}
