// Puts a plan into a folder of the host: all new contents first, in a place of their own; then names, and each step can be undone.
import {
  access,
  chmod,
  constants,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isDiskFull, isPyroError, PyroError, systemCodeOf } from '../shared/errors.ts';
import { readJson, temporaryName, writeJson } from '../system/files.ts';
import { identifySelf, isRunning, processIdentitySchema } from '../system/processes.ts';
import type { ApplyStep } from './apply-plan.ts';
import type { GitLab } from './git-lab.ts';
import { isUntouched, look, placeOf } from './host-state.ts';
import { gatherBlob, readBlobs } from './lab-blobs.ts';

const stagePrefix = '.pyro-apply';
/** What is over, and only has to go: a stage has this name before anything of it does, so that no part of one is taken for the whole */
const donePrefix = '.pyro-applied';
/** Time in which a stage gets its owner, `ms` */
const makingMs = 10_000;
const journalName = 'journal.json';
const ownerName = 'owner.json';

const journalSchema = z.object({
  version: z.literal(1),
  /** Paths in base64 */
  steps: z.array(z.object({ path: z.string(), had: z.boolean(), writes: z.boolean() })),
});
type Journal = z.infer<typeof journalSchema>;

/** All steps or none. Throws `apply_conflict` when someone changes the folder meanwhile, `disk_full`, and what writing throws. */
export async function writeSteps(
  lab: GitLab,
  root: string,
  steps: readonly ApplyStep[],
  signal: AbortSignal,
): Promise<void> {
  const stage = temporaryName(join(root, stagePrefix));
  try {
    await makeStage(stage);
    await assertAlone(root, stage);
    await fill(lab, stage, steps, signal);
    const journal: Journal = {
      version: 1,
      steps: steps.map(({ path, content, before }) => ({
        path: path.toString('base64'),
        had: before.kind === 'file' || before.kind === 'symlink',
        writes: content !== undefined,
      })),
    };
    await writeJson(join(stage, journalName), journal);
    // From here on it is done or undone: a call that is given up changes nothing about that.
    await exchange(root, stage, steps).catch(async (error) => {
      await undo(root, stage, journal);
      throw (await hasOriginals(stage)) ? damaged(stage) : error;
    });
  } catch (error) {
    // What could not be put back is for the next one to try.
    if (isPyroError(error, 'state_damaged')) await rm(join(stage, ownerName), { force: true });
    else await clear(root, stage);
    throw isDiskFull(error) ? full(root, error) : error;
  }
  await clear(root, stage);
}

async function clear(root: string, stage: string): Promise<void> {
  const done = temporaryName(join(root, donePrefix));
  // Where it cannot have that name it goes as it is: nothing of it is needed.
  const place = await rename(stage, done).then(
    () => done,
    () => stage,
  );
  await rm(place, { recursive: true, force: true });
}

async function hasOriginals(stage: string): Promise<boolean> {
  return (await readdir(stage)).some((name) => name.startsWith('old-'));
}

/** Undoes what an apply that was killed has begun in this folder. Throws `state_damaged` if that cannot be done. */
export async function recoverApply(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const stage = join(root, name);
    if (name.startsWith(`${donePrefix}.`)) await rm(stage, { recursive: true, force: true, maxRetries: 3 });
    if (!name.startsWith(`${stagePrefix}.`)) continue;
    // Someone else's, of another daemon, who is at it now.
    if (await isInUse(stage)) continue;
    const journal = await readJson(join(stage, journalName), journalSchema).catch(() => undefined);
    if (journal !== undefined) await undo(root, stage, journal);
    if (await hasOriginals(stage)) throw damaged(stage);
    await clear(root, stage);
  }
}

/** Each makes its stage before it looks, so that of several at once no two go on. */
async function assertAlone(root: string, stage: string): Promise<void> {
  for (const name of await readdir(root)) {
    const other = join(root, name);
    if (!name.startsWith(`${stagePrefix}.`) || other === stage || !(await isInUse(other))) continue;
    throw new PyroError('apply_conflict', `another apply is writing to ${root}`, {
      hint: 'nothing was changed; call again when it has ended',
    });
  }
}

async function isInUse(stage: string): Promise<boolean> {
  const owner = await readJson(join(stage, ownerName), processIdentitySchema).catch(() => undefined);
  return owner === undefined ? await isBeingMade(stage) : isRunning(owner);
}

/** Nobody has said yet whose it is; one that was killed at that goes with a later apply. */
async function isBeingMade(stage: string): Promise<boolean> {
  const [status, names] = await Promise.all([look(Buffer.from(stage)), readdir(stage).catch(() => [])]);
  const isYoung = status === undefined || Date.now() - status.mtimeMs < makingMs;
  return isYoung && names.every((name) => name.startsWith(ownerName));
}

function damaged(stage: string): PyroError {
  return new PyroError('state_damaged', `an apply was killed halfway, and ${stage} cannot be restored automatically`, {
    hint: `it holds what was in the folder before, as old-N; journal.json names the paths in base64. Restore what you need, remove ${stage}, and call again`,
  });
}

/** With its owner in it before anything else, so that nobody takes it for left behind. */
async function makeStage(stage: string): Promise<void> {
  try {
    await mkdir(stage, { mode: 0o700 });
    await writeJson(join(stage, ownerName), identifySelf());
  } catch (error) {
    await rm(stage, { recursive: true, force: true }).catch(() => undefined);
    throw asNotWritable(dirname(stage), error);
  }
}

/** Throws `path_not_writable` if {@link writeSteps} would at once. */
export async function assertWritable(root: string): Promise<void> {
  try {
    await access(root, constants.W_OK);
  } catch (error) {
    throw asNotWritable(root, error);
  }
}

function asNotWritable(root: string, error: unknown): unknown {
  if (!['EACCES', 'EPERM', 'EROFS'].includes(systemCodeOf(error) ?? '')) return error;
  return new PyroError('path_not_writable', `${root} cannot be written to`, {
    hint: 'apply elsewhere with --to, or give this user write permission',
    cause: error,
  });
}

async function fill(lab: GitLab, stage: string, steps: readonly ApplyStep[], signal: AbortSignal): Promise<void> {
  const wanted = steps.flatMap((step, index) => (step.content === undefined ? [] : [{ ...step.content, step, index }]));
  for await (const { of, content } of readBlobs(
    lab,
    () => wanted,
    ({ blob }) => blob,
  )) {
    signal.throwIfAborted();
    const place = join(stage, `new-${of.index}`);
    if (of.mode === '120000') {
      await symlink(await gatherBlob(content()), place);
      continue;
    }
    const file = await open(place, 'wx', 0o600);
    try {
      for await (const chunk of content()) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
    await chmod(place, permissions(of.step, of.mode === '100755'));
  }
}

/** Git knows one bit of the permissions; the others stay as they are. */
function permissions({ before }: ApplyStep, isExecutable: boolean): number {
  if (before.kind !== 'file' || before.status === undefined) return isExecutable ? 0o755 : 0o644;
  const mode = before.status.mode & 0o7777;
  return isExecutable ? mode | ((mode & 0o444) >> 2) | 0o100 : mode & ~0o111;
}

async function exchange(root: string, stage: string, steps: readonly ApplyStep[]): Promise<void> {
  const all = [...steps.entries()];
  const linked = new Set<number>();
  // What goes away goes first, so that a file can take the place of a folder, and a folder that of a file.
  for (const [index, step] of all) {
    if (step.before.kind !== 'file' && step.before.kind !== 'symlink') continue;
    await assertUntouched(root, step);
    const [place, old] = [placeOf(root, step.path), join(stage, `old-${index}`)];
    // A second name keeps the place filled until the new content takes it in one step.
    if (step.content === undefined || !(await tryLink(place, old))) await rename(place, old);
    else linked.add(index);
  }
  for (const [, { path, content }] of all) if (content === undefined) await removeEmptyAbove(root, path);
  for (const [index, step] of all) {
    if (step.content === undefined) continue;
    await makeAbove(root, step.path);
    const place = placeOf(root, step.path);
    if (step.before.kind === 'directory') await removeFolder(place, step.path);
    if (!linked.has(index) && (await look(place)) !== undefined) throwConflict(step.path);
    await rename(join(stage, `new-${index}`), place);
  }
}

async function tryLink(from: Buffer, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch {
    // A file system without hard links, or a file of someone else's.
    return false;
  }
}

async function assertUntouched(root: string, step: ApplyStep): Promise<void> {
  if (!isUntouched(step.before, await look(placeOf(root, step.path)))) throwConflict(step.path);
}

/** May be killed and begun again at any point: what it has put back already is not touched twice. */
async function undo(root: string, stage: string, { steps }: Journal): Promise<void> {
  const journalMs = (await stat(join(stage, journalName))).mtimeMs;
  const all = [...steps.entries()].map(([index, step]) => ({ ...step, index, path: Buffer.from(step.path, 'base64') }));
  const isLeft = async (name: string): Promise<boolean> => (await look(Buffer.from(join(stage, name)))) !== undefined;
  for (const { index, path, had, writes } of all) {
    if (had || !writes) continue;
    const standing = await look(placeOf(root, path));
    // A new content that is no longer in the stage stands in its place, unless someone has worked on it since; a folder is
    // what stood there before, put back.
    const isNew = standing !== undefined && !standing.isDirectory() && standing.mtimeMs <= journalMs;
    if (isNew && !(await isLeft(`new-${index}`))) await rm(placeOf(root, path), { force: true });
    // The folders for it are made before it.
    if (standing === undefined || isNew) await removeEmptyAbove(root, path);
  }
  for (const { index, path, had } of all) {
    if (!had || !(await isLeft(`old-${index}`))) continue;
    const old = join(stage, `old-${index}`);
    const standing = await look(placeOf(root, path));
    const isItself = standing?.ino === (await look(Buffer.from(old)))?.ino;
    // Nothing stands over it but what was written before the exchange began, or its own second name.
    if (standing !== undefined && !isItself && standing.mtimeMs > journalMs) continue;
    await makeAbove(root, path);
    await rename(old, placeOf(root, path));
    // Two names of one file stay as they are.
    await rm(old, { force: true });
  }
}

/** The folder in a file's place, which its last file may have taken along. */
async function removeFolder(place: Buffer, path: Buffer): Promise<void> {
  try {
    await rmdir(place);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throwConflict(path, error);
  }
}

async function makeAbove(root: string, path: Buffer): Promise<void> {
  const above = path.subarray(0, Math.max(path.lastIndexOf(0x2f), 0));
  if (above.length > 0) await mkdir(placeOf(root, above), { recursive: true });
}

/** As Git does with folders that have become empty. */
async function removeEmptyAbove(root: string, path: Buffer): Promise<void> {
  for (let at = path.lastIndexOf(0x2f); at > 0; at = path.lastIndexOf(0x2f, at - 1)) {
    try {
      await rmdir(placeOf(root, path.subarray(0, at)));
    } catch {
      // There is something in it, or it is gone already: then so are those above, or they stay.
      return;
    }
  }
}

function throwConflict(path: Buffer, cause?: unknown): never {
  throw new PyroError('apply_conflict', `${path.toString('utf8')} changed while the changes were being applied`, {
    hint: 'nothing was changed; call again',
    cause,
  });
}

function full(root: string, cause: unknown): PyroError {
  return new PyroError('disk_full', `no room left in ${root} for the changes`, {
    hint: 'nothing was changed; free some space and call again',
    cause,
  });
}
