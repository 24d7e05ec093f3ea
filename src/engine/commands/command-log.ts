// The commands of a workspace on disk: a record and two output files each, by sequence and byte offset; the oldest are dropped.

import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandRecord, commandRecordSchema } from '../../contract/records.ts';
import { PyroError, systemCodeOf } from '../../shared/errors.ts';
import { Mutex } from '../../shared/mutex.ts';
import { formatBytes, gibibyte } from '../../shared/units.ts';
import { readJson, writeJson } from '../../system/files.ts';
import { makeFolder } from '../../system/folders.ts';

export type StreamName = 'stdout' | 'stderr';

/** How much of a workspace's ended commands is kept; the oldest go first. */
export interface CommandLimits {
  readonly commands: number;
  /** Of both streams of all commands together, `bytes` */
  readonly outputBytes: number;
}
export const usualLimits: CommandLimits = { commands: 1000, outputBytes: gibibyte };

/** Files of a command. The last one is empty and exists while it runs, so that a start reads only the records of running ones. */
const kinds = ['json', 'stdout', 'stderr', 'running'] as const;
type FileKind = (typeof kinds)[number];

export class CommandLog {
  readonly #folder: string;
  readonly #limits: CommandLimits;
  /** Sequences of all that are kept, oldest first */
  readonly #kept = new Set<number>();
  /** Records of running ones, and of those whose end did not fit on the disk yet */
  readonly #held = new Map<number, CommandRecord>();
  /** Output of those that have ended, as far as it was measured, `bytes` */
  readonly #measured = new Map<number, number>();
  readonly #sweeping = new Mutex();
  #next = 1;

  private constructor(folder: string, limits: CommandLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /** Reads only the records of running ones; one that a crash left unreadable is skipped, and its number stays taken. */
  static async open(folder: string, limits: CommandLimits = usualLimits): Promise<CommandLog> {
    const log = new CommandLog(folder, limits);
    await makeFolder(folder);
    const found = (await readdir(folder)).flatMap((name) => {
      const match = /^(\d{6,9})\.(json|stdout|stderr|running)$/.exec(name);
      return match === null ? [] : [{ sequence: Number(match[1]), kind: match[2] }];
    });
    for (const { sequence, kind } of found.sort((a, b) => a.sequence - b.sequence)) {
      log.#next = sequence + 1;
      if (kind === 'json') log.#kept.add(sequence);
    }
    for (const { sequence } of found.filter(({ kind }) => kind === 'running')) {
      const record = await log.#readRecord(sequence);
      if (record?.ended_at === null) log.#held.set(sequence, record);
      else await rm(log.#path(sequence, 'running'), { force: true });
    }
    return log;
  }

  /** Reserves the next sequence with its files. */
  async begin(command: string, cwd: string, user: string | undefined): Promise<CommandRecord> {
    const sequence = this.#next++;
    const record: CommandRecord = {
      sequence,
      command,
      cwd,
      user: user ?? null,
      started_at: Date.now() / 1000,
      ended_at: null,
      process: null,
      exit_code: null,
      timed_out: false,
      lost: false,
      cut: false,
    };
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    try {
      for (const kind of ['running', 'stdout', 'stderr'] as const) {
        await (await open(this.#path(sequence, kind), 'wx', 0o600)).close();
      }
      await this.save(record);
    } catch (error) {
      this.#held.delete(sequence);
      await this.#remove(sequence);
      // Nothing of it is left, so that the next one may have its number.
      if (this.#next === sequence + 1) this.#next = sequence;
      throw error;
    }
    return record;
  }

  /** The record counts from now on, even if the disk has no room for it: then this throws, and the next save tries again. */
  async save(record: CommandRecord): Promise<void> {
    this.#held.set(record.sequence, record);
    this.#kept.add(record.sequence);
    await this.#write(record);
    if (record.ended_at === null) return;
    for (const late of [...this.#held.values()].filter((each) => each.ended_at !== null)) {
      await this.#write(late).catch(() => undefined);
    }
    await this.#sweeping.run(() => this.#sweep());
  }

  path(sequence: number, stream: StreamName): string {
    return this.#path(sequence, stream);
  }

  /** Throws `command_unknown`, or `command_gone` for one that is no longer kept. */
  async get(sequence: number): Promise<CommandRecord> {
    const record = await this.find(sequence);
    if (record !== undefined) return record;
    const isGone = sequence < this.#next;
    const { commands, outputBytes } = this.#limits;
    throw isGone
      ? new PyroError(
          'command_gone',
          `command ${sequence} is no longer kept: a workspace keeps its last ${commands} commands and ${formatBytes(outputBytes)} of their output`,
        )
      : new PyroError('command_unknown', `there is no command ${sequence}`);
  }

  async find(sequence: number): Promise<CommandRecord | undefined> {
    const held = this.#held.get(sequence);
    if (held !== undefined || !this.#kept.has(sequence)) return held;
    const record = await this.#readRecord(sequence);
    // Its end was never recorded, and nobody is waiting for it any more.
    return record?.ended_at === null ? { ...record, ended_at: record.started_at, lost: true } : record;
  }

  /** Of those that are kept, oldest first. */
  get sequences(): number[] {
    // Commands that begin at once are noted in the order in which their files were made.
    return [...this.#kept].sort((a, b) => a - b);
  }

  /** Count of older ones that are no longer kept. */
  get goneCount(): number {
    return this.#next - 1 - this.#kept.size;
  }

  /** Oldest first. */
  running(): CommandRecord[] {
    const running = [...this.#held.values()].filter((record) => record.ended_at === null);
    return running.sort((a, b) => a.sequence - b.sequence);
  }

  /** Newest first, each read when it is asked for. */
  async *newest(): AsyncGenerator<CommandRecord> {
    for (const sequence of this.sequences.reverse()) {
      const record = await this.find(sequence);
      if (record !== undefined) yield record;
    }
  }

  async sizes(sequence: number): Promise<Record<StreamName, number>> {
    const size = async (stream: StreamName): Promise<number> => {
      try {
        return (await stat(this.path(sequence, stream))).size;
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') return 0;
        throw error;
      }
    };
    return { stdout: await size('stdout'), stderr: await size('stderr') };
  }

  /** At most `length` bytes from an offset on. */
  async read(sequence: number, stream: StreamName, offset: number, length: number): Promise<Buffer> {
    const file = await open(this.path(sequence, stream), 'r');
    try {
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, (await file.stat()).size - offset)));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  #path(sequence: number, kind: FileKind): string {
    return join(this.#folder, `${String(sequence).padStart(6, '0')}.${kind}`);
  }

  async #readRecord(sequence: number): Promise<CommandRecord | undefined> {
    return await readJson(this.#path(sequence, 'json'), commandRecordSchema).catch(() => undefined);
  }

  async #write(record: CommandRecord): Promise<void> {
    const { sequence } = record;
    await writeJson(this.#path(sequence, 'json'), record);
    if (record.ended_at === null || this.#held.get(sequence) !== record) return;
    this.#held.delete(sequence);
    await rm(this.#path(sequence, 'running'), { force: true });
  }

  /** Drops the oldest ended ones until the rest is within the limits; the newest of them stays. */
  async #sweep(): Promise<void> {
    const ended = this.sequences.filter((sequence) => !this.#held.has(sequence));
    let bytes = 0;
    for (const sequence of ended) bytes += await this.#measure(sequence);
    for (const sequence of ended.slice(0, -1)) {
      if (this.#kept.size <= this.#limits.commands && bytes <= this.#limits.outputBytes) return;
      bytes -= this.#measured.get(sequence) ?? 0;
      await this.#remove(sequence);
    }
  }

  async #measure(sequence: number): Promise<number> {
    const known = this.#measured.get(sequence);
    if (known !== undefined) return known;
    const { stdout, stderr } = await this.sizes(sequence);
    this.#measured.set(sequence, stdout + stderr);
    return stdout + stderr;
  }

  async #remove(sequence: number): Promise<void> {
    this.#kept.delete(sequence);
    this.#measured.delete(sequence);
    // What cannot be removed now is forgotten; it goes with the workspace.
    for (const kind of kinds) await rm(this.#path(sequence, kind), { force: true }).catch(() => undefined);
  }
}
