// The commands of a workspace on disk: a record and two output files each, addressed by sequence and byte offset.
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PyroError, systemCodeOf } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { readJson, writeJson } from '../../system/files.ts';
import { makeFolder } from '../../system/folders.ts';

const commandSchema = z.object({
  sequence: z.number().int().positive(),
  command: z.string(),
  cwd: z.string(),
  user: z.string().nullable(),
  /** `s` since 1970 */
  started_at: z.number(),
  ended_at: z.number().nullable(),
  /** Process id on the guest's channel; null until it has started */
  process: z.string().nullable(),
  /** Null while it runs and when its end was never seen */
  exit_code: z.number().nullable(),
  timed_out: z.boolean(),
  /** True when its guest ended before it did */
  lost: z.boolean(),
  /** True when output beyond the limit was not kept */
  cut: z.boolean(),
});
export type CommandRecord = z.infer<typeof commandSchema>;
export type StreamName = 'stdout' | 'stderr';

export class CommandLog {
  readonly #folder: string;
  readonly #records = new Map<number, CommandRecord>();
  #next = 1;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads all records; one that a crash left unreadable is skipped, its number stays taken. */
  static async open(folder: string): Promise<CommandLog> {
    const log = new CommandLog(folder);
    await makeFolder(folder);
    for (const name of await readdir(folder)) {
      const match = /^(\d{6,9})\.(?:json|stdout|stderr)$/.exec(name);
      if (match === null) continue;
      const sequence = Number(match[1]);
      log.#next = Math.max(log.#next, sequence + 1);
      if (!name.endsWith('.json')) continue;
      const record = await readJson(join(folder, name), commandSchema).catch(() => undefined);
      if (record !== undefined) log.#records.set(sequence, record);
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
    for (const stream of ['stdout', 'stderr'] as const) {
      await (await open(this.path(sequence, stream), 'wx', 0o600)).close();
    }
    await this.save(record);
    return record;
  }

  async save(record: CommandRecord): Promise<void> {
    this.#records.set(record.sequence, record);
    await writeJson(join(this.#folder, `${number(record.sequence)}.json`), record);
  }

  path(sequence: number, stream: StreamName): string {
    return join(this.#folder, `${number(sequence)}.${stream}`);
  }

  /** Throws `command_unknown`. */
  get(sequence: number): CommandRecord {
    const record = this.#records.get(sequence);
    if (record === undefined) {
      throw new PyroError('command_unknown', `there is no command ${sequence}`, {
        hint: `${hintCall('workspace.logs')} without a sequence lists the commands`,
      });
    }
    return record;
  }

  /** Oldest first. */
  all(): CommandRecord[] {
    return [...this.#records.values()].sort((a, b) => a.sequence - b.sequence);
  }

  running(): CommandRecord[] {
    return this.all().filter((record) => record.ended_at === null);
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
}

function number(sequence: number): string {
  return String(sequence).padStart(6, '0');
}
