// Where an export comes to stand: it appears whole, and what stood there before stays until then.
import type { Stats } from 'node:fs';
import { link, lstat, readdir, realpath, rename, rm, rmdir, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { isHostFault, PyroError, systemCodeOf } from '../shared/errors.ts';
import { noteDraft } from '../system/drafts.ts';
import { exists, temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';

export interface ExportPlace {
  /** Where the export shall stand, with the links above it resolved */
  readonly final: string;
  /** Fresh name beside it to write to */
  readonly temporary: string;
  /** Folders that were made for it, the deepest first */
  readonly madeFolders: readonly string[];
}

/** Finds and checks the place, making missing folders above it. Throws `export_refused` or `output_exists`. */
export async function findPlace(outputPath: string, whatStands: 'refuse' | 'replace' | 'merge'): Promise<ExportPlace> {
  if (!isAbsolute(outputPath) || outputPath.includes('\0') || basename(outputPath) === '')
    throw refused(outputPath, 'is not an absolute path that can be written to');
  if (outputPath.split('/').some((part) => part === '..')) throw refused(outputPath, 'contains ".."');
  refuseGit(outputPath, outputPath);
  const madeFolders = await makeParents(outputPath);
  const parent = await realpath(dirname(outputPath));
  refuseGit(outputPath, parent);
  const final = join(parent, basename(outputPath));
  const standing = await lstatOrNothing(final);
  if (whatStands === 'merge' && standing?.isDirectory() === true) {
    // Within it: who may write there need not be allowed to write beside it.
    return { final, temporary: temporaryName(join(final, basename(final))), madeFolders };
  }
  if (standing !== undefined) {
    if (whatStands === 'refuse')
      throw new PyroError('output_exists', `${outputPath} exists`, {
        hint: 'give another output path, or ask to overwrite it',
        details: { output_path: outputPath },
      });
    refuseSpecial(outputPath, standing);
    if (
      whatStands === 'replace' &&
      standing.isDirectory() &&
      (await readdir(final)).some((name) => name.toLowerCase() === '.git')
    )
      throw refused(outputPath, 'is a Git checkout, which overwriting would delete');
  }
  return { final, temporary: temporaryName(final), madeFolders };
}

/** A rename would put a file in place of /dev/null, for all programs of the machine. */
export function refuseSpecial(outputPath: string, standing: Stats): void {
  if (standing.isFile() || standing.isDirectory() || standing.isSymbolicLink()) return;
  throw refused(outputPath, 'is a device, a pipe or a socket, which is never overwritten');
}

/** Makes what is missing above the place; gives those folders, the deepest first. */
async function makeParents(outputPath: string): Promise<string[]> {
  const missing: string[] = [];
  for (let folder = dirname(outputPath); !(await exists(folder)); folder = dirname(folder)) missing.push(folder);
  try {
    await makeFolder(dirname(outputPath));
  } catch (error) {
    if (!['EEXIST', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) throw error;
    throw refused(outputPath, 'is below something that is not a folder');
  }
  return missing;
}

/** Free room where the place is, less a reserve that is left to others. */
export async function roomAt(place: ExportPlace): Promise<{ bytes: number; files: number }> {
  const { bavail, bsize, files, ffree } = await statfs(dirname(place.final));
  // Some file systems do not count files.
  return { bytes: Math.floor(bavail * bsize * 0.98), files: Math.min(files === 0 ? mostFiles : ffree, mostFiles) };
}

export const mostFiles = 2_000_000;

/** Times that something else may come to stand in the place, or be taken from it, while an export takes it */
const mostTurns = 20;

/** Puts what was written into its place. */
export async function settle(place: ExportPlace, isOverwrite: boolean, journal?: string): Promise<void> {
  if (!isOverwrite) return await appear(place);
  for (let turn = 1; ; turn++) {
    try {
      return await takePlace(place, journal);
    } catch (error) {
      const hasChanged = systemCodeOf(error) === 'ENOENT' ? await exists(place.temporary) : isTaken(error);
      if (!hasChanged) throw error;
      if (turn === mostTurns) throw createdMeanwhile(place.final, error);
    }
  }
}

/** Over what stands there. Throws as the system does where that has changed meanwhile. */
async function takePlace({ final, temporary }: ExportPlace, journal: string | undefined): Promise<void> {
  const standing = await lstatOrNothing(final);
  if (standing === undefined) return await enter(final, temporary);
  refuseSpecial(final, standing);
  if (!standing.isDirectory() && !(await isFolder(temporary))) return await rename(temporary, final);
  const old = temporaryName(final);
  // Between the two names what stood there would be nowhere.
  await using _note = await noteDraft(journal, { moved: { from: final, aside: old } });
  await rename(final, old);
  try {
    await rename(temporary, final);
  } catch (error) {
    // Another export has put its own there, over the same.
    if (isTaken(error)) await removeAside(old);
    else await rename(old, final);
    throw error;
  }
  await removeAside(old);
}

/** The export stands: that the one before cannot be removed does not undo it. The note stays then, for the next start. */
async function removeAside(old: string): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    try {
      await rm(old, { recursive: true, force: true });
      return;
    } catch (error) {
      if (!isHostFault(error)) throw error;
    }
  }
}

/** Never over what came to stand there meanwhile: a plain rename would replace a file without a word. */
async function appear({ final, temporary }: ExportPlace): Promise<void> {
  try {
    await enter(final, temporary);
  } catch (error) {
    throw isTaken(error) ? createdMeanwhile(final, error) : await explainLoss({ final, temporary }, error);
  }
}

async function enter(final: string, temporary: string): Promise<void> {
  if (await isFolder(temporary)) await rename(temporary, final);
  else {
    await link(temporary, final);
    await unlink(temporary);
  }
}

/** A single file into its place, over a file at most. Throws `output_exists` and `export_refused`. */
export async function settleFile(place: ExportPlace, isOverwrite: boolean): Promise<void> {
  if (!isOverwrite) return await appear(place);
  try {
    await rename(place.temporary, place.final);
  } catch (error) {
    throw isTaken(error) ? createdMeanwhile(place.final, error) : await explainLoss(place, error);
  }
}

/** Something stands where something was to be put. */
function isTaken(error: unknown): boolean {
  return ['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR'].includes(systemCodeOf(error) ?? '');
}

function createdMeanwhile(final: string, cause: unknown): PyroError {
  return new PyroError('output_exists', `${final} was created while the export was being written`, { cause });
}

/** What a failure means: that what was being written is gone, as when another export takes the place of a folder above it. */
export async function explainLoss(
  { final, temporary }: Pick<ExportPlace, 'final' | 'temporary'>,
  error: unknown,
): Promise<unknown> {
  const isLoss = ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '') && !(await exists(temporary));
  if (!isLoss) return error;
  return new PyroError('export_refused', `${dirname(final)} was taken away while the export was being written to it`, {
    hint: 'nothing was exported; make the call again',
    cause: error,
  });
}

/** Removes what was written and not settled, with the folders that were made for it. */
export async function discard(place: ExportPlace): Promise<void> {
  await rm(place.temporary, { recursive: true, force: true });
  for (const folder of place.madeFolders) {
    try {
      await rmdir(folder);
    } catch {
      // Someone else uses it by now: it stays, and so do those above it.
      return;
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path)).isDirectory();
}

function refuseGit(shown: string, path: string): void {
  if (path.split('/').some((part) => part.toLowerCase() === '.git'))
    throw refused(shown, "is in Git's own folder, which an export never writes to");
}

async function lstatOrNothing(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function refused(path: string, why: string): PyroError {
  return new PyroError('export_refused', `${path} ${why}`, {
    hint: 'give another output path',
    details: { output_path: path },
  });
}
