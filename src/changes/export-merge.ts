// What a copy has written beside its place goes into folders that stand there: each file at once, and never through a link.
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import type { ExportPlace } from './export-place.ts';

interface Move {
  readonly from: Buffer;
  readonly to: Buffer;
}

/** Looks first whether everything fits. Throws `output_exists` if a folder would have to take the place of a file, or a file that of a folder or a device. */
export async function mergeInto({ temporary, final }: ExportPlace, signal: AbortSignal): Promise<void> {
  const moves: Move[] = [];
  await plan(Buffer.from(temporary), Buffer.from(final), moves, signal);
  // From here on it goes to its end: an interrupt would leave a part of it.
  for (const { from, to } of moves) {
    try {
      await rename(from, to);
    } catch (error) {
      if (!/^(ENOENT|ENOTDIR|EISDIR|EEXIST|ENOTEMPTY)$/.test(systemCodeOf(error) ?? '')) throw error;
      const shown = JSON.stringify(to.toString('utf8').slice(0, 500));
      throw new PyroError('output_exists', `the place of ${shown} was changed while the copy went there`, {
        hint: 'a part of it is there; make the call again',
        cause: error,
      });
    }
  }
  await rm(temporary, { recursive: true, force: true });
}

async function plan(from: Buffer, to: Buffer, moves: Move[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const standing = await kindOf(to);
  const coming = await kindOf(from);
  if (standing === undefined || (standing === 'file' && coming === 'file')) {
    moves.push({ from, to });
    return;
  }
  if (standing !== coming) {
    const shown = JSON.stringify(to.toString('utf8').slice(0, 500));
    const what = { folder: 'a folder', file: 'no folder', other: 'a device, a socket or a pipe' } as const;
    throw new PyroError('output_exists', `${shown} is ${what[standing]} here`, {
      hint: 'move it away, or copy to another place; nothing was copied',
    });
  }
  for (const name of await readdir(from, { encoding: 'buffer' })) {
    await plan(below(from, name), below(to, name), moves, signal);
  }
}

function below(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}

/** A link counts as a file: it is replaced as one, and never followed. */
async function kindOf(path: Buffer): Promise<'folder' | 'file' | 'other' | undefined> {
  try {
    const status = await lstat(path);
    if (status.isDirectory()) return 'folder';
    return status.isFile() || status.isSymbolicLink() ? 'file' : 'other';
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
