// Room on the disk that is kept for small writes: given up when the disk is full, so that what runs can still be ended and noted.
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { leastRoom } from '../shared/disk-limits.ts';
import { isDiskFull, isHostFault } from '../shared/errors.ts';
import { Mutex } from '../shared/mutex.ts';
import { mebibyte } from '../shared/units.ts';
import { tightestRoom } from './disk-room.ts';
import { exists } from './files.ts';

/** Some thousand records; less than what lets a paused guest go on, which would take it at once */
const reservedBytes = 16 * mebibyte;
const pieceBytes = mebibyte;

export class Reserve {
  readonly #folder: string;
  readonly #path: string;
  readonly #changing = new Mutex();

  /** `folder` is where what is written lies; only its owner keeps room in it. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, 'reserve');
  }

  /** Takes the room, where it is not taken and there is enough beside it. */
  async keep(): Promise<void> {
    await this.#changing.run(async () => {
      if (await exists(this.#path)) return;
      const { free } = tightestRoom({ state: this.#folder, cache: this.#folder });
      if (!Number.isFinite(free) || free < leastRoom + reservedBytes) return;
      const draft = `${this.#path}.new`;
      try {
        await fill(draft);
        await rename(draft, this.#path);
      } catch (error) {
        await rm(draft, { force: true });
        if (!isHostFault(error)) throw error;
      }
    });
  }

  /** Work that writes little: done again with the reserved room when there is no other. */
  async spend<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#release())) throw error;
      return await work();
    }
  }

  /** False where there was none. */
  async #release(): Promise<boolean> {
    return await this.#changing.run(async () => {
      if (!(await exists(this.#path))) return false;
      await rm(this.#path, { force: true });
      return true;
    });
  }
}

/** With bytes that no file system makes smaller. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    for (let done = 0; done < reservedBytes; done += pieceBytes) await file.writeFile(randomBytes(pieceBytes));
    await file.datasync();
  } finally {
    await file.close();
  }
}
