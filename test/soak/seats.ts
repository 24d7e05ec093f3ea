// Places for guests: as many as the machine's memory holds, shared by clients that come in turn.

export class Seats {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return {
      [Symbol.dispose]: () => {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }
}

/** A guest of 256 MiB, with what QEMU needs beside that, `MiB` */
const guestMib = 512;
/** Left to the daemon, the servers, jobs and everybody else, `MiB` */
const hostMib = 3072;
const fewest = 2;

/** Guests of peaceful clients for which so much free memory is enough, beside the hostile ones. */
export function seatsFor(availableMib: number, hostile: number, clients: number): number {
  const all = Math.floor((availableMib - hostMib) / guestMib);
  return Math.max(fewest, Math.min(clients, all - hostile));
}
