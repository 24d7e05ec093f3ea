// A guest whose disk finds no room on the host: QEMU pauses it, this notices, tells who waits, and lets it go on once there is room.
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import type { Qmp, QmpEvent } from './qmp.ts';

/** Room with which a paused guest is let go on, and how often it is looked for */
const enoughSpace = 32 * mebibyte;
const lookMs = 500;
/** How long a call waits for room before it is told; somebody may be clearing up just now */
const patienceMs = 3000;

const statusSchema = z.object({ status: z.string() });

export class SpaceWatch implements Disposable {
  readonly #qmp: Qmp;
  readonly #folder: string;
  readonly #stopListening: () => void;
  readonly #waiting = new Set<(error: PyroError) => void>();
  #pause: Promise<void> | undefined;
  #isOver = false;

  /** `folder` is where the disk lies. */
  constructor(qmp: Qmp, folder: string) {
    this.#qmp = qmp;
    this.#folder = folder;
    this.#stopListening = qmp.listen((event) => {
      if (isFull(event)) this.#begin();
    });
  }

  /** For a guest that ran before anybody watched. */
  async lookOnce(): Promise<void> {
    const answer = statusSchema.safeParse(await this.#qmp.execute('query-status'));
    if (answer.data?.status === 'io-error') this.#begin();
  }

  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Work with the guest. Throws `disk_full` when it is paused for longer than a moment; what was begun goes on with it. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    const { promise: told, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    try {
      if (this.#pause !== undefined) await Promise.race([this.#pause, told]);
      const result = work();
      // Whoever is told first does not hear of its end.
      result.catch(() => undefined);
      return await Promise.race([result, told]);
    } finally {
      this.#waiting.delete(reject);
      told.catch(() => undefined);
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#stopListening();
  }

  #begin(): void {
    this.#pause ??= this.#untilSpace().finally(() => {
      this.#pause = undefined;
    });
  }

  async #untilSpace(): Promise<void> {
    const since = Date.now();
    while (!this.#isOver) {
      if ((await this.#freeSpace()) >= enoughSpace && (await this.#goOn())) return;
      if (Date.now() - since > patienceMs) for (const tell of this.#waiting) tell(this.#error());
      await sleep(lookMs, undefined, { ref: false });
    }
  }

  async #freeSpace(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder).catch(() => ({ bavail: 0, bsize: 0 }));
    return bavail * bsize;
  }

  async #goOn(): Promise<boolean> {
    try {
      await this.#qmp.execute('cont');
      return true;
    } catch {
      // QEMU has ended, which is told elsewhere, or is busy: the next look tries again.
      return false;
    }
  }

  #error(): PyroError {
    return new PyroError(
      'disk_full',
      `the disk of the host is full: no room below ${this.#folder}, so the guest is paused`,
      {
        hint: 'make room there; the guest goes on by itself, and what runs in it too',
      },
    );
  }
}

function isFull({ event, data }: QmpEvent): boolean {
  return event === 'BLOCK_IO_ERROR' && data['action'] === 'stop' && data['nospace'] === true;
}
