// A guest whose disk fails on the host: QEMU pauses it, this notices, says so, and lets it go on once there is room or the disk works.
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { mebibyte } from '../shared/units.ts';
import type { Qmp, QmpEvent } from './qmp.ts';
import { diskTrouble, fullTrouble, type Trouble } from './trouble.ts';

/** Room with which a paused guest is let go on, and how often it is looked for */
const enoughSpace = 32 * mebibyte;
const lookMs = 500;
/** How often a write is tried again that failed for another reason, which only trying tells, `ms` */
const retryMs = 2000;
/** How long the guest runs after that before its disk counts as working, `ms` */
const settleMs = 300;
/** How long a pause lasts before anybody is told; somebody may be clearing up just now */
const patienceMs = 3000;

const statusSchema = z.object({ status: z.string() });
/** What QEMU says of a quota that is used up, in the words of the C library */
const quotaWords = /quota/i;

export class SpaceWatch implements Disposable {
  readonly #qmp: Qmp;
  readonly #folder: string;
  readonly #onChange: () => void;
  readonly #stopListening: () => void;
  #pause: Promise<void> | undefined;
  #trouble: Trouble | undefined;
  #reason: Trouble | undefined;
  /** Pauses so far */
  #count = 0;
  #isOver = false;

  /** `folder` is where the disk lies; `onChange` is called when a pause has become trouble, and at its end. */
  constructor(qmp: Qmp, folder: string, onChange: () => void = () => undefined) {
    this.#qmp = qmp;
    this.#folder = folder;
    this.#onChange = onChange;
    this.#stopListening = qmp.listen((event) => {
      if (isPause(event)) this.#begin(troubleOf(event, folder));
    });
  }

  /** For a guest that ran before anybody watched. */
  async lookOnce(): Promise<void> {
    const answer = statusSchema.safeParse(await this.#qmp.execute('query-status'));
    if (answer.data?.status === 'io-error') this.#begin(fullTrouble(this.#folder));
  }

  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Settles when the guest goes on; undefined while it runs. */
  get pause(): Promise<void> | undefined {
    return this.#pause;
  }

  /** Why it is paused, known at once */
  get reason(): Trouble | undefined {
    return this.#reason;
  }

  /** Of a guest that has been paused for longer than a moment. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#stopListening();
  }

  #begin(trouble: Trouble): void {
    this.#count++;
    this.#reason = trouble;
    this.#pause ??= this.#untilItRuns(trouble).finally(() => {
      this.#pause = undefined;
      this.#reason = undefined;
      this.#tell(undefined);
    });
  }

  #tell(trouble: Trouble | undefined): void {
    if (this.#trouble === trouble) return;
    this.#trouble = trouble;
    this.#onChange();
  }

  async #untilItRuns(trouble: Trouble): Promise<void> {
    const since = Date.now();
    const isFull = trouble.error.code === 'disk_full';
    let triedAt = 0;
    while (!this.#isOver) {
      const hasRoom = (await this.#freeSpace()) >= enoughSpace;
      // A quota is no number that can be read: whether it has room is known by trying.
      const isDue = Date.now() - triedAt >= (isFull && triedAt === 0 ? 0 : retryMs);
      if (hasRoom && isDue) {
        triedAt = Date.now();
        if (await this.#goesOn()) return;
      }
      if (Date.now() - since > patienceMs) this.#tell(trouble);
      await sleep(lookMs, undefined, { ref: false });
    }
  }

  async #freeSpace(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder).catch(() => ({ bavail: 0, bsize: 0 }));
    return bavail * bsize;
  }

  /** QEMU makes the write again that failed; it pauses anew when that fails as well. */
  async #goesOn(): Promise<boolean> {
    const before = this.#count;
    try {
      await this.#qmp.execute('cont');
    } catch {
      // QEMU has ended, which is told elsewhere, or is busy: the next look tries again.
      return false;
    }
    await sleep(settleMs, undefined, { ref: false });
    return this.#count === before;
  }
}

function isPause({ event, data }: QmpEvent): boolean {
  return event === 'BLOCK_IO_ERROR' && data['action'] === 'stop';
}

function troubleOf({ data }: QmpEvent, folder: string): Trouble {
  const told = typeof data['reason'] === 'string' ? data['reason'].slice(0, 200) : '';
  return data['nospace'] === true || quotaWords.test(told) ? fullTrouble(folder) : diskTrouble(folder, told);
}
