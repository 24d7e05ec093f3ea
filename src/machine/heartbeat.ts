// Whether a guest is heard from: asked now and then, more often while somebody waits, and never taken for dead while it is only slow.
import { PyroError } from '../shared/errors.ts';
import { FairClock, isHeld } from '../system/process-pace.ts';
import { hasSurelyEnded, type ProcessIdentity } from '../system/processes.ts';
import { deafTrouble, type Trouble } from './trouble.ts';

/** What a heartbeat needs of a session. */
export interface Pulse {
  /** Count of bytes that have come from the guest: any of them is a sign of life */
  readonly received: () => number;
  /** Has the guest send something; answers come as bytes. False when the session is over */
  readonly ask: () => boolean;
  /** Process of the host that the guest runs in */
  readonly pid: number | undefined;
  /** True while it is known why nothing comes */
  readonly isExcused: () => boolean;
}

/** Between looks while a question is open, and between questions while somebody waits, `ms` */
const lookMs = 250;
const askMs = 1000;
/** Between questions to a guest that nobody waits for, `ms`: each wakes it */
const idleMs = 15_000;
/** So long a guest may be silent when it could have run, `ms`; one whose process is held by a signal, so long */
const patienceMs = 4000;
const heldMs = 1000;

export class Heartbeat implements Disposable {
  readonly #pulse: Pulse;
  readonly #onChange: () => void;
  #heard: number;
  #heardAt = performance.now();
  /** Runs while a question is open */
  #clock: FairClock | undefined;
  #silentMs = 0;
  #waiting = 0;
  #trouble: Trouble | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** `onChange` is called when the guest falls silent, and when it is heard again. */
  constructor(pulse: Pulse, onChange: () => void) {
    this.#pulse = pulse;
    this.#onChange = onChange;
    this.#heard = pulse.received();
    this.#schedule();
  }

  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** Somebody waits for the guest from now on until the result is disposed of. */
  attend(): Disposable {
    this.#waiting++;
    if (this.#waiting === 1 && performance.now() - this.#heardAt > askMs) this.#look();
    this.#schedule();
    return {
      [Symbol.dispose]: () => {
        this.#waiting--;
      },
    };
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    const isClose = this.#clock !== undefined || this.#waiting > 0;
    this.#timer = setTimeout(
      () => {
        this.#look();
        this.#schedule();
      },
      isClose ? lookMs : idleMs,
    );
    this.#timer.unref();
  }

  #look(): void {
    const received = this.#pulse.received();
    if (received !== this.#heard) {
      this.#heard = received;
      this.#hear();
      return;
    }
    if (this.#pulse.isExcused()) {
      this.#clock = undefined;
      this.#silentMs = 0;
      return;
    }
    if (this.#clock === undefined) {
      const isDue = performance.now() - this.#heardAt >= (this.#waiting > 0 ? askMs : idleMs - lookMs);
      if (!isDue || !this.#pulse.ask()) return;
      this.#clock = new FairClock(this.#pulse.pid);
      this.#silentMs = 0;
      return;
    }
    // What came while this process was held up is read first: of a long gap only a little counts.
    this.#silentMs += this.#clock.lap(2 * lookMs);
    if (this.#trouble !== undefined || !isTooLong(this.#pulse.pid, this.#silentMs, patienceMs)) return;
    this.#trouble = deafTrouble(this.#pulse.pid, this.#silentMs);
    this.#onChange();
  }

  #hear(): void {
    this.#heardAt = performance.now();
    this.#clock = undefined;
    this.#silentMs = 0;
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#onChange();
  }
}

/**
 * Work that needs an answer of a process, given up when that has had time enough: throws `guest_unresponsive`, and
 * `guest_unreachable` once the process is gone.
 */
export async function patiently<T>(
  process: ProcessIdentity,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  mostMs: number = patienceMs,
): Promise<T> {
  const { pid } = process;
  const giving = new AbortController();
  const clock = new FairClock(pid);
  let silentMs = 0;
  const timer = setInterval(() => {
    silentMs += clock.lap(2 * lookMs);
    if (hasSurelyEnded(process)) giving.abort(new PyroError('guest_unreachable', 'the guest is no longer running'));
    else if (isTooLong(pid, silentMs, mostMs)) giving.abort(deafTrouble(pid, silentMs).error);
  }, lookMs);
  try {
    return await work(AbortSignal.any([signal, giving.signal]));
  } finally {
    clearInterval(timer);
  }
}

function isTooLong(pid: number | undefined, silentMs: number, mostMs: number): boolean {
  return silentMs >= mostMs || (silentMs >= heldMs && pid !== undefined && isHeld(pid));
}
