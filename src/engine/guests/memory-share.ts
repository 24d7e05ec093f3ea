// What the guests of one workspace hold of the machine's memory: from before one is begun until it is gone.
import type { KnownGuest } from '../../machine/machine.ts';
import type { ProcessIdentity } from '../../system/processes.ts';
import type { GuestMemory, MemoryHolder } from './memory-limit.ts';

export class MemoryShare {
  readonly #memory: GuestMemory;
  readonly #newHolder: () => MemoryHolder;
  #held = new DisposableStack();

  constructor(memory: GuestMemory, newHolder: () => MemoryHolder) {
    this.#memory = memory;
    this.#newHolder = newHolder;
  }

  /** Room for one more guest. Throws `memory_exhausted`. */
  reserve(): Disposable {
    return this.#memory.reserve(this.#newHolder());
  }

  /** For a guest that an earlier daemon has started, before it is taken over. */
  noteRunning(process: ProcessIdentity): void {
    this.#held.use(this.#memory.note({ ...this.#newHolder(), process }));
  }

  /** The guest has its memory, in the place of the reservation, until its process has ended. */
  assign({ guest, record: { process } }: KnownGuest, reservation: Disposable = this.#held): void {
    const held = new DisposableStack();
    reservation[Symbol.dispose]();
    held.use(this.#memory.note({ ...this.#newHolder(), process }));
    this.#held = held;
    void guest.ended.then(() => held.dispose());
  }

  /** Room for the guest that comes in the place of the present one, which is about to be ended: nobody else gets it. */
  reserveReplacement(): Disposable {
    return this.#memory.note(this.#newHolder());
  }

  /** Its guest is known to be gone. */
  free(): void {
    this.#held.dispose();
    this.#held = new DisposableStack();
  }
}
