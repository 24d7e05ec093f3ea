// Puts a plan into a folder of the host: all new contents first, in a place of their own; then names, and each step can be undone.
import { access, chmod, constants, link, open, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isDiskFull, isPyroError, PyroError, systemCodeOf } from '../shared/errors.ts';
import { temporaryName, writeJson } from '../system/files.ts';
import { noteStage } from './apply-notes.ts';
import type { ApplyStep } from './apply-plan.ts';
import {
  type ApplyPlaces,
  asNotWritable,
  assertAlone,
  clear,
  damaged,
  hasOriginals,
  type Journal,
  journalName,
  makeStage,
  ownerName,
  stagePrefix,
} from './apply-stage.ts';
import { makeAbove, removeEmptyAbove, undo } from './apply-undo.ts';
import type { GitLab } from './git-lab.ts';
import { isUntouched, look, placeOf } from './host-state.ts';
import { gatherBlob, readBlobs } from './lab-blobs.ts';

/** All steps or none. Throws `apply_conflict` when someone changes the folder meanwhile, `disk_full`, and what writing throws. */
export async function writeSteps(
  lab: GitLab,
  { root, notes }: ApplyPlaces,
  steps: readonly ApplyStep[],
  signal: AbortSignal,
): Promise<void> {
  const stage = temporaryName(join(root, stagePrefix));
  try {
    await noteStage(notes, stage);
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
    else await clear({ root, notes }, stage);
    throw isDiskFull(error) ? full(root, error) : error;
  }
  await clear({ root, notes }, stage);
}

/** Throws `path_not_writable` if {@link writeSteps} would at once. */
export async function assertWritable(root: string): Promise<void> {
  try {
    await access(root, constants.W_OK);
  } catch (error) {
    throw asNotWritable(root, error);
  }
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

/** The folder in a file's place, which its last file may have taken along. */
async function removeFolder(place: Buffer, path: Buffer): Promise<void> {
  try {
    await rmdir(place);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throwConflict(path, error);
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
