// One shell: a process with a terminal in the guest, its raw output followed into a log on the host.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { GuestProcess } from '../../agent/guest-process.ts';
import { type ShellRecord, shellRecordSchema } from '../../contract/records.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { mebibyte } from '../../shared/units.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { readJson, writeJson } from '../../system/files.ts';
import { StreamLog } from '../output/stream-log.ts';

/** Most raw output of one shell that is kept; the oldest goes first */
const keptBytes = 64 * mebibyte;
const mostSizes = 100;
/** Longest wait for a shell that is asked to end, `ms` */
const graceMs = 2000;
/** Longest wait for a program to take its input, `ms` */
const inputMs = 10_000;

export class Shell {
  readonly log: StreamLog;
  readonly #folder: string;
  #record: ShellRecord;
  #process: GuestProcess | undefined;
  #followed: Promise<void> = Promise.resolve();
  #lastOutputMs = 0;
  #isRemoved = false;

  private constructor(folder: string, record: ShellRecord, log: StreamLog) {
    this.#folder = folder;
    this.#record = record;
    this.log = log;
  }

  /** A shell that has just been started. */
  static async create(folder: string, record: ShellRecord, process: GuestProcess): Promise<Shell> {
    const shell = new Shell(folder, record, await openLog(folder));
    await writeJson(recordPath(folder), record);
    shell.#follow(process);
    return shell;
  }

  /** A shell that an earlier daemon left on disk; undefined if its record cannot be read. */
  static async load(folder: string): Promise<Shell | undefined> {
    const record = await readJson(recordPath(folder), shellRecordSchema).catch(() => undefined);
    return record === undefined ? undefined : new Shell(folder, record, await openLog(folder));
  }

  get record(): ShellRecord {
    return this.#record;
  }

  get isRunning(): boolean {
    return this.#record.ended_at === null;
  }

  /** False for a running shell whose session broke, until it is followed again. */
  get isFollowed(): boolean {
    return this.#process !== undefined;
  }

  /** When output last came, on the clock of `performance.now` */
  get lastOutputMs(): number {
    return this.#lastOutputMs;
  }

  /** Continues from the end of the log. Throws the guest's answer if it does not know the shell. */
  async resume(client: GuestClient): Promise<void> {
    this.#follow(await client.attach(this.#record.process, { stdout: this.log.end, stderr: 0 }));
  }

  /** Returns the number of bytes that the terminal accepted. */
  async write(bytes: Buffer, signal: AbortSignal): Promise<number> {
    try {
      return await this.#running().write(bytes, { signal, timeoutMs: inputMs });
    } catch (error) {
      if (!isPyroError(error, 'guest_refused')) throw error;
      throw new PyroError('shell_ended', `shell ${this.#record.id} no longer takes input`, { cause: error });
    }
  }

  /** Signals what is in the terminal's foreground. */
  async signal(name: string, signal: AbortSignal): Promise<void> {
    await this.#running().signal(name, 'group', { signal });
  }

  async resize(cols: number, rows: number, signal: AbortSignal): Promise<void> {
    await this.#running().resize({ cols, rows }, { signal });
    const sizes = [...this.#record.sizes, { at: this.log.end, cols, rows }].slice(-mostSizes);
    await this.#save({ ...this.#record, sizes });
  }

  /** Hangs up, then kills, then waits until the end is known. */
  async close(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    await process.signal('HUP', 'all').catch(() => undefined);
    await waitForAny([this.#followed], graceMs);
    if (this.#process === undefined) return;
    await process.signal('KILL', 'all').catch(() => undefined);
    await waitForAny([this.#followed], graceMs);
  }

  async settle(): Promise<void> {
    await this.#followed;
  }

  /** Its guest is gone. */
  async lose(): Promise<void> {
    await this.settle();
    if (this.isRunning) await this.#end(null, true);
  }

  async remove(): Promise<void> {
    this.#isRemoved = true;
    await this.log[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #running(): GuestProcess {
    if (!this.isRunning) {
      throw new PyroError('shell_ended', `shell ${this.#record.id} has ended`, {
        hint: `open another one with: ${hintCall('workspace.shell.open')}`,
      });
    }
    if (this.#process === undefined) throw new PyroError('guest_unreachable', 'the connection to the guest was lost');
    return this.#process;
  }

  #follow(process: GuestProcess): void {
    this.#process = process;
    this.#lastOutputMs = performance.now();
    const whenOver = (): void => {
      this.#process = undefined;
      this.log.notify();
    };
    // Whatever goes wrong there is in the record.
    this.#followed = this.#copy(process).then(whenOver, whenOver);
  }

  async #copy(process: GuestProcess): Promise<void> {
    try {
      const exit = await process.follow(
        async (_stream, bytes) => {
          await this.log.append(bytes);
          this.#lastOutputMs = performance.now();
        },
        ({ to }) => this.log.skip(to),
      );
      await this.#end(exit.exit_code, false);
      // Its output is on the host now; the guest need not keep it.
      await process.forget().catch(() => undefined);
    } catch (error) {
      // The guest is gone, or this daemon is releasing it: the next one looks again.
      if (!isPyroError(error, 'guest_unreachable')) {
        await process.forget().catch(() => undefined);
        await this.#end(null, true);
      }
    } finally {
      await this.log[Symbol.asyncDispose]();
    }
  }

  async #end(exitCode: number | null, isLost: boolean): Promise<void> {
    await this.#save({ ...this.#record, ended_at: Date.now() / 1000, exit_code: exitCode, lost: isLost });
  }

  async #save(record: ShellRecord): Promise<void> {
    this.#record = record;
    if (this.#isRemoved) return;
    // A full disk must not end a running process: the record in memory counts, and the next change writes it.
    await writeJson(recordPath(this.#folder), record).catch(() => undefined);
  }
}

function recordPath(folder: string): string {
  return join(folder, 'shell.json');
}

async function openLog(folder: string): Promise<StreamLog> {
  return await StreamLog.open(join(folder, 'raw'), keptBytes);
}
