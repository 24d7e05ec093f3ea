// Keeps the record of one workspace: changes hold at once and are written one after the other, activity now and then.
import type { RunningGuest, WorkspaceRecord } from '../../contract/records.ts';
import { Mutex } from '../../shared/mutex.ts';
import type { Reserve } from '../../system/reserve.ts';
import { nowSeconds, resettable, type WorkspaceFiles, writeRecord } from './workspace-record.ts';

/** Activity is written down at most so often, `s`; a crash may shorten an idle time by it. */
const activitySeconds = 10;

export class RecordKeeper {
  readonly #files: WorkspaceFiles;
  readonly #reserve: Pick<Reserve, 'spend'>;
  readonly #writing = new Mutex();
  #record: WorkspaceRecord;
  /** When somebody was here last, and when that was written down, by a clock that nobody sets, `ms` */
  #activeAt: number;
  #writtenAt: number;
  /** True while the record on disk lacks the last activity */
  #isStale = false;
  #isClosed = false;
  #isLetGo = false;

  constructor(files: WorkspaceFiles, record: WorkspaceRecord, reserve: Pick<Reserve, 'spend'>) {
    this.#reserve = reserve;
    this.#files = files;
    this.#record = record;
    // Since when only the record of the daemon before says; a clock that has been set back makes it no less than nothing.
    this.#activeAt = performance.now() - Math.max(0, nowSeconds() - record.last_activity_at) * 1000;
    this.#writtenAt = this.#activeAt;
  }

  get idleSeconds(): number {
    return (performance.now() - this.#activeAt) / 1000;
  }

  get record(): WorkspaceRecord {
    return this.#record;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async update(changes: Partial<WorkspaceRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    this.#isStale = false;
    this.#writtenAt = performance.now();
    await this.#writing.run(async () => {
      if (this.#isClosed || this.#isLetGo) return;
      const write = (): Promise<void> => writeRecord(this.#files, this.#record);
      try {
        // Mere activity is not worth the room that is kept for what has to be noted on a full disk.
        await (Object.keys(changes).length === 0 ? write() : this.#reserve.spend(write));
      } catch (error) {
        // It holds all the same, such as a stop; it is written with what comes next.
        this.#isStale = true;
        throw error;
      }
    });
  }

  /** All of it or nothing: where it cannot be written, what a reset changes is as it was. */
  async exchange(changes: Partial<WorkspaceRecord>): Promise<void> {
    const before = resettable(this.#record);
    try {
      await this.update(changes);
    } catch (error) {
      this.#record = { ...this.#record, ...before };
      this.#isStale = true;
      throw error;
    }
  }

  /** A guest has been started: nobody knows any more what it changes. */
  async noteStart(guest: RunningGuest): Promise<void> {
    this.#activeAt = performance.now();
    const started = { state: 'started', stop_reason: null, stop_detail: null } as const;
    await this.update({ ...started, changes: null, guest, last_activity_at: nowSeconds() });
  }

  /** Somebody was here, and has changed what everything works without: it holds at once, and never fails. */
  async touch(changes?: Partial<WorkspaceRecord>): Promise<void> {
    this.#activeAt = performance.now();
    const isDue = changes !== undefined || this.#activeAt - this.#writtenAt >= activitySeconds * 1000;
    this.#record = { ...this.#record, ...changes, last_activity_at: nowSeconds() };
    this.#isStale = true;
    if (!isDue) return;
    try {
      await this.update({});
    } catch {
      // Work that is done comes before it, whose result it must not take the place of; it is written down later.
      this.#isStale = true;
    }
  }

  /** Writes what was put off. */
  async flush(): Promise<void> {
    if (this.#isStale) await this.update({});
  }

  /** All is written, and nothing from now on: the record is another process's, which may have changed it already. */
  async letGo(): Promise<void> {
    await this.flush();
    await this.#writing.run(async () => {
      this.#isLetGo = true;
    });
  }

  /** Nothing is written from now on; what is being written is, when it comes back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing.run(async () => undefined);
  }
}
