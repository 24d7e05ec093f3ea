// The Git checkout that a folder lies in.
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './files.ts';

/** The nearest folder, from this one on, with a `.git`; worktrees and submodules have a file of that name. */
export async function checkoutAround(folder: string): Promise<string | undefined> {
  let path = folder;
  for (;;) {
    if (await exists(join(path, '.git'))) return path;
    if (dirname(path) === path) return undefined;
    path = dirname(path);
  }
}

/** A folder without links in its path; as it is given where that cannot be known. */
export async function withoutLinks(folder: string): Promise<string> {
  return await realpath(folder).catch(() => folder);
}
