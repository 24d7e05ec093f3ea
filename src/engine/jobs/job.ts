// Work on what a guest or a project sizes, as data that goes in and comes out, so that it can be done outside the daemon.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestFiles } from '../../agent/file-types.ts';
import type { GuestClient } from '../../agent/guest-client.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';

/** What a job may use besides its input. */
export interface JobTools extends CallContext {
  /** Sessions with the guests that were named, in their order */
  readonly guests: readonly GuestClient[];
  /** What must not be shown; it masks and notices, and knows no names */
  readonly secrets: SecretSet;
  /** Private folder of the host for this job alone */
  readonly workFolder: string;
}

/** Input and output are plain data, buffers, maps and sets among them: they go to another process and come back. */
export interface Job<Input, Output> {
  readonly name: string;
  run(input: Input, tools: JobTools): Promise<Output>;
}

/** Files of the first of its guests. */
export function guestFilesOf({ guests: [guest] }: Pick<JobTools, 'guests'>): GuestFiles {
  if (guest === undefined) throw new Error('a job on the files of a guest without one');
  return createGuestFiles(guest);
}

export interface JobRequest extends JobTools {
  /** Whose data it is: several jobs of one owner leave room for those of others */
  readonly owner: string;
  /** Time of all of it, `ms` */
  readonly deadlineMs: number;
}

export interface JobRunner extends AsyncDisposable {
  /**
   * Does a job to its end. Throws what it throws, `work_too_large` for one that needs more memory than it may have, and
   * `deadline_exceeded`.
   */
  run<Input, Output>(job: Job<Input, Output>, input: Input, request: JobRequest): Promise<Output>;
}

/** Jobs in this process, for programs that end with their one call. */
export const jobsHere: JobRunner = {
  run: (job, input, request) => job.run(input, request),
  [Symbol.asyncDispose]: async () => undefined,
};

export interface WorkFolder extends AsyncDisposable {
  readonly path: string;
}

/** A private folder below `scratch`, which goes away with all that a job has left in it. */
export async function openWorkFolder(scratch: string): Promise<WorkFolder> {
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const path = await mkdtemp(join(scratch, 'job-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Any job takes so long at most, and longer with what the disk of its guest can hold, `ms` */
const shortestDeadlineMs = 600_000;
/** Slowest rate at which the data of a guest is worked through, `MiB` a second */
const slowestRate = 8;

/** Time for all of a job on the data of a guest with such a disk, `ms`. */
export function deadlineFor(diskMib: number): number {
  return shortestDeadlineMs + (diskMib / slowestRate) * 1000;
}
