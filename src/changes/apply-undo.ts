// Undoes an apply that was killed: by its journal, and only below the folder that it was changing.
import { mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../shared/errors.ts';
import { readJson } from '../system/files.ts';
import { isNoted } from './apply-notes.ts';
import {
  type ApplyPlaces,
  clear,
  damaged,
  donePrefix,
  hasOriginals,
  isInUse,
  type Journal,
  journalName,
  journalSchema,
  stagePrefix,
} from './apply-stage.ts';
import { refusalOfGit } from './git-paths.ts';
import { look, placeOf } from './host-state.ts';

/** Of Linux, `bytes` */
const [longestName, longestPath] = [255, 4000];

/** Undoes what an apply that was killed has begun in this folder. Throws `state_damaged` if that cannot be done. */
export async function recoverApply(places: ApplyPlaces): Promise<void> {
  const { root, notes } = places;
  for (const name of await readdir(root)) {
    const stage = join(root, name);
    if (name.startsWith(`${donePrefix}.`)) await rm(stage, { recursive: true, force: true, maxRetries: 3 });
    if (!name.startsWith(`${stagePrefix}.`)) continue;
    // Someone else's, of another daemon, who is at it now.
    if (await isInUse(stage)) continue;
    if (!(await isNoted(notes, stage))) {
      // Nothing is done by a journal that anybody could have written.
      if (await hasOriginals(stage)) throw damaged(stage);
      continue;
    }
    const journal = await readJson(join(stage, journalName), journalSchema).catch(() => undefined);
    if (journal !== undefined) await undo(root, stage, journal);
    if (await hasOriginals(stage)) throw damaged(stage);
    await clear(places, stage);
  }
}

/** May be killed and begun again at any point: what it has put back already is not touched twice. */
export async function undo(root: string, stage: string, { steps }: Journal): Promise<void> {
  const journalMs = (await stat(join(stage, journalName))).mtimeMs;
  const all = [...steps.entries()].map(([index, step]) => ({ ...step, index, path: Buffer.from(step.path, 'base64') }));
  const isLeft = async (name: string): Promise<boolean> => (await look(Buffer.from(join(stage, name)))) !== undefined;
  for (const { index, path, had, writes } of all) {
    if (had || !writes || !(await isReachable(root, path))) continue;
    const standing = await look(placeOf(root, path));
    // A new content that is no longer in the stage stands in its place, unless someone has worked on it since; a folder is
    // what stood there before, put back.
    const isNew = standing !== undefined && !standing.isDirectory() && standing.mtimeMs <= journalMs;
    if (isNew && !(await isLeft(`new-${index}`))) await rm(placeOf(root, path), { force: true });
    // The folders for it are made before it.
    if (standing === undefined || isNew) await removeEmptyAbove(root, path);
  }
  for (const { index, path, had } of all) {
    if (!had || !(await isLeft(`old-${index}`)) || !(await isReachable(root, path))) continue;
    const old = join(stage, `old-${index}`);
    const standing = await look(placeOf(root, path));
    const isItself = standing?.ino === (await look(Buffer.from(old)))?.ino;
    // Nothing stands over it but what was written before the exchange began, or its own second name.
    if (standing !== undefined && !isItself && standing.mtimeMs > journalMs) continue;
    try {
      await makeAbove(root, path);
      await rename(old, placeOf(root, path));
    } catch (error) {
      // Someone has put something in its way since: the original stays where it is, and is told.
      if (['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY'].includes(systemCodeOf(error) ?? '')) continue;
      throw error;
    }
    // Two names of one file stay as they are.
    await rm(old, { force: true });
  }
}

/** True for a path that an apply can have written to, and that no link leads away. */
async function isReachable(root: string, path: Buffer): Promise<boolean> {
  if (path.length === 0 || path.length > longestPath || refusalOfGit(path, false) !== undefined) return false;
  if (
    path
      .toString('latin1')
      .split('/')
      .some((name) => name.length > longestName)
  )
    return false;
  for (let at = path.indexOf(0x2f); at >= 0; at = path.indexOf(0x2f, at + 1)) {
    if ((await look(placeOf(root, path.subarray(0, at))))?.isSymbolicLink() === true) return false;
  }
  return true;
}

export async function makeAbove(root: string, path: Buffer): Promise<void> {
  const above = path.subarray(0, Math.max(path.lastIndexOf(0x2f), 0));
  if (above.length > 0) await mkdir(placeOf(root, above), { recursive: true });
}

/** As Git does with folders that have become empty. */
export async function removeEmptyAbove(root: string, path: Buffer): Promise<void> {
  for (let at = path.lastIndexOf(0x2f); at > 0; at = path.lastIndexOf(0x2f, at - 1)) {
    try {
      await rmdir(placeOf(root, path.subarray(0, at)));
    } catch {
      // There is something in it, or it is gone already: then so are those above, or they stay.
      return;
    }
  }
}
