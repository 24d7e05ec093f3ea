// The folder in which an apply makes everything ready: its name, whose it is, its journal, and its end.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { readJson, temporaryName, writeJson } from '../system/files.ts';
import { identifySelf, isRunning, processIdentitySchema } from '../system/processes.ts';
import { forgetStage } from './apply-notes.ts';
import { look } from './host-state.ts';

export const stagePrefix = '.pyro-apply';
/** What is over, and only has to go: a stage has this name before anything of it does, so that no part of one is taken for the whole */
export const donePrefix = '.pyro-applied';
/** Time in which a stage gets its owner, `ms` */
const makingMs = 10_000;
export const journalName = 'journal.json';
export const ownerName = 'owner.json';

export const journalSchema = z.object({
  version: z.literal(1),
  /** Paths in base64 */
  steps: z.array(z.object({ path: z.string(), had: z.boolean(), writes: z.boolean() })),
});
export type Journal = z.infer<typeof journalSchema>;

/** Where an apply writes to */
export interface ApplyPlaces {
  /** Real path of the folder that is changed */
  readonly root: string;
  /** Folder of pyro's own with notes on the stages that it has made */
  readonly notes: string;
}

export async function clear({ root, notes }: ApplyPlaces, stage: string): Promise<void> {
  const done = temporaryName(join(root, donePrefix));
  // Where it cannot have that name it goes as it is: nothing of it is needed.
  const place = await rename(stage, done).then(
    () => done,
    () => stage,
  );
  await rm(place, { recursive: true, force: true });
  await forgetStage(notes, stage);
}

export async function hasOriginals(stage: string): Promise<boolean> {
  return (await readdir(stage).catch((): string[] => [])).some((name) => name.startsWith('old-'));
}

/** Each makes its stage before it looks, so that of several at once no two go on. */
export async function assertAlone(root: string, stage: string): Promise<void> {
  for (const name of await readdir(root)) {
    const other = join(root, name);
    if (!name.startsWith(`${stagePrefix}.`) || other === stage || !(await isInUse(other))) continue;
    throw new PyroError('apply_conflict', `another apply is writing to ${root}`, {
      hint: 'nothing was changed; call again when it has ended',
    });
  }
}

export async function isInUse(stage: string): Promise<boolean> {
  const owner = await readJson(join(stage, ownerName), processIdentitySchema).catch(() => undefined);
  return owner === undefined ? await isBeingMade(stage) : isRunning(owner);
}

/** Nobody has said yet whose it is; one that was killed at that goes with a later apply. */
async function isBeingMade(stage: string): Promise<boolean> {
  const [status, names] = await Promise.all([look(Buffer.from(stage)), readdir(stage).catch(() => [])]);
  const isYoung = status === undefined || Date.now() - status.mtimeMs < makingMs;
  return isYoung && names.every((name) => name.startsWith(ownerName));
}

export function damaged(stage: string): PyroError {
  return new PyroError('state_damaged', `an apply was killed halfway, and ${stage} cannot be restored automatically`, {
    hint: `it holds what was in the folder before, as old-N; journal.json names the paths in base64. Restore what you need, remove ${stage}, and call again`,
  });
}

/** With its owner in it before anything else, so that nobody takes it for left behind. */
export async function makeStage(stage: string): Promise<void> {
  try {
    await mkdir(stage, { mode: 0o700 });
    await writeJson(join(stage, ownerName), identifySelf());
  } catch (error) {
    await rm(stage, { recursive: true, force: true }).catch(() => undefined);
    throw asNotWritable(dirname(stage), error);
  }
}

export function asNotWritable(root: string, error: unknown): unknown {
  if (!['EACCES', 'EPERM', 'EROFS'].includes(systemCodeOf(error) ?? '')) return error;
  return new PyroError('path_not_writable', `${root} cannot be written to`, {
    hint: 'apply elsewhere with --to, or give this user write permission',
    cause: error,
  });
}
