// A guest whose disk fails on the host: QEMU pauses it, this notices, says so, and lets it go on once there is room or the disk works.
//
// A write that failed is made again by QEMU. A flush that failed is not: the kernel may have dropped what it could not write, so
// QEMU fails each later flush of that file, whatever the disk does. Only a new QEMU helps such a guest, and it is told so.
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { mebibyte } from '../shared/units.ts';
import { waitForAny } from '../shared/waiting.ts';
import { temporaryName } from '../system/files.ts';
import type { Qmp, QmpEvent } from './qmp.ts';
import { diskTrouble, fullTrouble, givenUpTrouble, limitTrouble, type Trouble } from './trouble.ts';

/** Room with which a paused guest is let go on, and how often it is looked for */
const enoughSpace = 32 * mebibyte;
const lookMs = 500;
/** How often a write is tried again that failed for another reason, which only trying tells, `ms` */
const retryMs = 2000;
/** How long the guest runs after that before its disk counts as working, `ms` */
const settleMs = 300;
/** How long a pause lasts before anybody is told; somebody may be clearing up just now */
const patienceMs = 3000;
/** So often QEMU fails beside a write of ours that reaches the disk, and it counts as having given up */
const mostFailures = 3;
/** Size of that write: more than a piece of a guest's disk */
const trialBytes = mebibyte;
/** How long it may take, `ms` */
const trialMs = 2000;
/** A guest that ran so long since its last pause has a disk that works, `ms` */
const soundMs = 10_000;

const statusSchema = z.object({ status: z.string() });
/** What QEMU says of a quota that is used up, in the words of the C library */
const quotaWords = /quota/i;
const limitWords = /too large/i;

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
  /** Writes of QEMU that failed one after the other, each beside one of ours that did not */
  #failures = 0;
  #ranSince = 0;
  #trial: Promise<boolean> | undefined;
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
    if (this.#pause === undefined && Date.now() - this.#ranSince > soundMs) this.#failures = 0;
    this.#pause ??= this.#untilItRuns(trouble).finally(() => {
      this.#pause = undefined;
      this.#reason = undefined;
      this.#ranSince = Date.now();
      this.#tell(undefined);
    });
  }

  #tell(trouble: Trouble | undefined): void {
    if (this.#trouble?.reason === trouble?.reason) return;
    this.#trouble = trouble;
    this.#onChange();
  }

  async #untilItRuns(first: Trouble): Promise<void> {
    const since = Date.now();
    let triedAt = 0;
    while (!this.#isOver) {
      // What QEMU says of a later try is nearer to the truth.
      const latest = this.#reason ?? first;
      const isFull = latest.error.code === 'disk_full';
      const hasRoom = (await this.#freeSpace()) >= enoughSpace;
      // A quota is no number that can be read: whether it has room is known by trying.
      const isDue = Date.now() - triedAt >= (isFull && triedAt === 0 ? 0 : retryMs);
      if (hasRoom && isDue) {
        // Who is in want of room is not to wait for a trial; and of what QEMU alone is refused none of ours tells.
        const works = triedAt > 0 && !isOfQemuAlone(latest) && (await this.#diskWorks());
        triedAt = Date.now();
        if (await this.#goesOn()) return;
        this.#failures = works ? this.#failures + 1 : 0;
      }
      const hasGivenUp = this.#failures >= mostFailures;
      if (Date.now() - since > patienceMs) this.#tell(hasGivenUp ? givenUpTrouble(latest, this.#folder) : latest);
      await sleep(lookMs, undefined, { ref: false });
    }
  }

  /** True when a write beside the guest's disk reaches the disk; one that hangs is not begun again. */
  async #diskWorks(): Promise<boolean> {
    let works = false;
    this.#trial ??= writeTrial(join(this.#folder, 'trial')).finally(() => {
      this.#trial = undefined;
    });
    await waitForAny([this.#trial.then((result) => (works = result))], trialMs);
    return works;
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

/** Tells of the pause of a guest that starts; undefined for one without a disk of its own. */
export function watchStart(
  qmp: Qmp,
  folder: string | undefined,
  onTrouble: (trouble: Trouble) => void,
): SpaceWatch | undefined {
  if (folder === undefined) return undefined;
  const watch: SpaceWatch = new SpaceWatch(qmp, folder, () => {
    if (watch.trouble !== undefined) onTrouble(watch.trouble);
  });
  return watch;
}

async function writeTrial(wanted: string): Promise<boolean> {
  const path = temporaryName(wanted);
  try {
    await using file = await open(path, 'wx', 0o600);
    await file.writeFile(Buffer.alloc(trialBytes, 1));
    await file.sync();
    return true;
  } catch {
    return false;
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

function isPause({ event, data }: QmpEvent): boolean {
  return event === 'BLOCK_IO_ERROR' && data['action'] === 'stop';
}

/** Another user's quota, or a limit of its own */
function isOfQemuAlone({ reason, error }: Trouble): boolean {
  return reason.includes('quota') || error.code === 'file_size_limited';
}

function troubleOf({ data }: QmpEvent, folder: string): Trouble {
  const told = typeof data['reason'] === 'string' ? data['reason'].slice(0, 200) : '';
  if (limitWords.test(told)) return limitTrouble();
  const isQuota = quotaWords.test(told);
  return data['nospace'] === true || isQuota ? fullTrouble(folder, isQuota) : diskTrouble(folder, told);
}
