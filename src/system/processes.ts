// Who is running: a process is named by its id together with its start time and the boot of the machine, since ids are used again.
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isHostFault } from '../shared/errors.ts';

export const processIdentitySchema = z.object({
  pid: z.number().int().positive(),
  /** Clock ticks since the machine's boot, field 22 of /proc/PID/stat */
  start_ticks: z.number().int().nonnegative(),
  /** Which boot: ticks begin anew with each, and what starts by itself has the same id and ticks again. Older records lack it */
  boot_id: z.string().max(64).optional(),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** Identity of a running process, or undefined when there is none with this id (a zombie counts as none once its last thread has ended). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    // Where too many files are open, nobody knows: a process that was taken for ended would run on, and write.
    if (isHostFault(error)) throw error;
    // No such process: the answer itself.
    return undefined;
  }
  // The name in parentheses may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // The first thread of a killed process may be a zombie while others still hold its files and locks.
  if ((fields[0] === 'Z' && Number(fields[17]) <= 1) || fields[0] === 'X') return undefined;
  return { pid, start_ticks: Number(fields[19]), boot_id: bootId() };
}

let knownBoot: string | undefined;

/** The same for all processes between two starts of this machine; undefined where the kernel does not tell. */
export function bootId(): string | undefined {
  try {
    knownBoot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch (error) {
    // A process of an earlier boot must not be taken for one of this.
    if (isHostFault(error)) throw error;
  }
  return knownBoot;
}

/** True where the process ran before the machine was started anew. */
export function isOfEarlierBoot({ boot_id: boot }: ProcessIdentity): boolean {
  const now = bootId();
  return boot !== undefined && now !== undefined && boot !== now;
}

export function isRunning(identity: ProcessIdentity): boolean {
  return !isOfEarlierBoot(identity) && identifyProcess(identity.pid)?.start_ticks === identity.start_ticks;
}

/** For who looks again and again, and must not fail over it: false where it cannot be told just now. */
export function hasSurelyEnded(identity: ProcessIdentity): boolean {
  try {
    return !isRunning(identity);
  } catch {
    // Too many files are open, or the like.
    return false;
  }
}

const endLookMs = 5;

/** Kill -9, and the wait until it holds nothing any more; one that has ended already is not a failure. */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  if (isRunning(identity)) process.kill(identity.pid, 'SIGKILL');
  // Only a parent is told of an end; others have to look.
  while (isRunning(identity)) await sleep(endLookMs);
}

const pageBytes = 4096;

/** Memory that a process has in use now, `bytes`; 0 when there is none with this id. */
export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageBytes;
  } catch {
    // It has ended.
    return 0;
  }
}

const lowestPriority = 19;

/**
 * Has all threads of a process, and those that they start, give way to this process.
 * @param by how far below our own priority, in steps of nice(2); a process that has ended, or is not ours, stays as it is
 */
export function yieldProcessor(pid: number, by: number): void {
  try {
    const nice = Math.min(lowestPriority, getPriority() + by);
    // The first thread before the list of them: what it starts from now on has the same.
    setPriority(pid, nice);
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), nice);
  } catch {
    // A process at the usual priority is as good, but for who waits beside it.
  }
}

export function identifySelf(): ProcessIdentity {
  const self = identifyProcess(process.pid);
  // A machine without /proc cannot run guests; ids alone then have to do.
  return self ?? { pid: process.pid, start_ticks: 0 };
}
