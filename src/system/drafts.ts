// A journal of what is being made at places that a user chose: what a killed maker has left there, the next one undoes.
import { randomBytes } from 'node:crypto';
import { lstat, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { isHostFault } from '../shared/errors.ts';
import { exists, isTemporaryName, readJson, writeJson } from './files.ts';

const noteSchema = z.object({
  version: z.literal(1),
  /** Fresh names of contents that are not whole: they go */
  made: z.array(z.string()),
  /** What stood at a place and has been moved aside: it goes back there, unless something stands there again */
  moved: z.object({ from: z.string(), aside: z.string() }).nullable(),
  /** Folders that were made for it, the deepest first: they go when they are empty */
  folders: z.array(z.string()),
});
type Note = z.infer<typeof noteSchema>;

/**
 * Notes what is about to be made, until it is disposed: by then it is whole or gone, or else the note stays for the next
 * start. A disk that takes no note is no reason to make nothing.
 */
export async function noteDraft(
  journal: string | undefined,
  note: Partial<Omit<Note, 'version'>>,
): Promise<AsyncDisposable> {
  if (journal === undefined) return { [Symbol.asyncDispose]: async () => undefined };
  const path = join(journal, `${randomBytes(6).toString('hex')}.json`);
  try {
    await writeJson(path, { version: 1, made: [], moved: null, folders: [], ...note });
  } catch (error) {
    if (!isHostFault(error)) throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const left of [...(note.made ?? []), ...(note.moved ? [note.moved.aside] : [])])
        if (await exists(left).catch(() => true)) return;
      // One that stays is read by the next start, which finds nothing to undo.
      await rm(path, { force: true }).catch(() => undefined);
    },
  };
}

/** Undoes what makers have left that are gone: the caller knows that none of this journal lives. */
export async function sweepDrafts(journal: string): Promise<void> {
  for (const name of await readdir(journal).catch(() => [])) {
    const path = join(journal, name);
    const note = await readJson(path, noteSchema).catch(() => undefined);
    // A note that is not whole was never acted upon.
    const isDone = note === undefined || (await undo(note).catch(() => false));
    // What lies on a disk that is away, or read-only, waits for a start at which it is not.
    if (isDone) await rm(path, { force: true }).catch(() => undefined);
  }
}

async function undo({ made, moved, folders }: Note): Promise<boolean> {
  if (moved !== null && (await isOurs(moved.aside))) {
    if (await exists(moved.from)) await rm(moved.aside, { recursive: true, force: true });
    else await rename(moved.aside, moved.from);
  }
  for (const path of made) if (await isOurs(path)) await rm(path, { recursive: true, force: true });
  for (const folder of folders) await rmdir(folder).catch(() => undefined);
  return true;
}

/** True for something of this user under a name that only we make, at the very place: no link leads there. */
async function isOurs(path: string): Promise<boolean> {
  if (!isAbsolute(path) || !isTemporaryName(basename(path))) return false;
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined || status.uid !== userInfo().uid) return false;
  return (await realpath(dirname(path))) === dirname(path);
}
