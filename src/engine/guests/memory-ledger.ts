// What each process of this user has promised to its guests: a note of every one, read and written under one lock of the kernel.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isHostFault } from '../../shared/errors.ts';
import { readOwnFileNow, temporaryName } from '../../system/files.ts';
import { lockFolder } from '../../system/lock.ts';
import {
  bootId,
  identifySelf,
  isRunning,
  type ProcessIdentity,
  processIdentitySchema,
} from '../../system/processes.ts';

/** Others hold the lock for as long as it takes to read some small files, `ms` */
const lockWaitMs = 5000;
/** Of one process; more is nothing that we have written */
const mostHolders = 10_000;

const noteSchema = z
  .array(
    z.object({
      id: z.string().max(64).nullable(),
      mem_mib: z.number().int().nonnegative(),
      process: processIdentitySchema.optional(),
    }),
  )
  .max(mostHolders);

/** Process, start time and beginning of the boot, and a part of its own for each who notes in one process */
const namePattern = /^(\d{1,10})-(\d{1,20})-(?:([0-9a-f]{8})-)?[0-9a-f]{8}\.json$/;

export interface NotedHolder {
  /** The workspace that could be stopped for it */
  readonly id: string | undefined;
  readonly memMib: number;
  /** Of a guest that may outlive whoever has noted it */
  readonly process?: ProcessIdentity | undefined;
}

/** What another process holds. */
export interface Note {
  readonly pid: number;
  readonly holders: readonly NotedHolder[];
}

export class MemoryLedger {
  readonly #folder: string;
  readonly #name: string;
  #own: readonly NotedHolder[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    const { pid, start_ticks: ticks } = identifySelf();
    const boot = bootMark();
    const marks = boot === undefined ? [pid, ticks] : [pid, ticks, boot];
    this.#name = `${[...marks, randomBytes(4).toString('hex')].join('-')}.json`;
  }

  /** Work that is told what all others hold, and that no other is at in the meantime. Throws `locked`. */
  alone<T>(work: (others: readonly Note[]) => T): T {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    using _lock = lockFolder(this.#folder, lockWaitMs);
    return work(this.#others());
  }

  /** Notes what this one holds, in place of what it has noted before. */
  write(holders: readonly NotedHolder[]): void {
    this.#own = holders;
    const path = join(this.#folder, this.#name);
    if (holders.length === 0) {
      rmSync(path, { force: true });
      return;
    }
    const temporary = temporaryName(path);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const note = holders.map(({ id, memMib, process }) => ({ id: id ?? null, mem_mib: memMib, process }));
      writeFileSync(temporary, JSON.stringify(note), { mode: 0o600, flag: 'wx' });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      // Others do not learn of it then, as before there were notes: no reason to have no guest.
      if (!isHostFault(error)) throw error;
    }
  }

  /**
   * What a process that is gone has left counts for its guests that still run, as those of workspaces do, until another
   * has taken them over; then it goes.
   */
  #others(): Note[] {
    const notes: Note[] = [];
    const left: NotedHolder[] = [];
    for (const name of readdirSync(this.#folder)) {
      const [, pid = '', ticks = '', boot = bootMark()] = namePattern.exec(name) ?? [];
      if (pid === '' || name === this.#name) continue;
      const path = join(this.#folder, name);
      if (boot === bootMark() && isRunning({ pid: Number(pid), start_ticks: Number(ticks) })) {
        notes.push({ pid: Number(pid), holders: readNote(path) });
        continue;
      }
      const outliving = readNote(path).filter((holder) => holder.process !== undefined && isRunning(holder.process));
      if (outliving.length === 0) rmSync(path, { force: true });
      left.push(...outliving);
    }
    const known = new Set([...this.#own, ...notes.flatMap(({ holders }) => holders)].map(keyOf));
    for (const holder of left) {
      const key = keyOf(holder);
      if (holder.process === undefined || known.has(key)) continue;
      known.add(key);
      notes.push({ pid: holder.process.pid, holders: [holder] });
    }
    return notes;
  }
}

/** State outlives a reboot, after which others have our ids and times. */
function bootMark(): string | undefined {
  return /^[0-9a-f]{8}/.exec(bootId() ?? '')?.[0];
}

function keyOf({ process }: NotedHolder): string {
  return process === undefined ? '' : `${process.pid} ${process.start_ticks}`;
}

function readNote(path: string): NotedHolder[] {
  try {
    const note = noteSchema.parse(JSON.parse(readOwnFileNow(path)));
    return note.map(({ id, mem_mib, process }) => ({ id: id ?? undefined, memMib: mem_mib, process }));
  } catch {
    // Given back in between, or written by somebody else: it tells of no memory.
    return [];
  }
}
