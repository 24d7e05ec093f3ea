// Git repositories that were made inside the guest's workspace: their files come home as plain files, and that is said.
import type { GuestFiles } from '../agent/file-types.ts';
import type { WorkContext } from './git-lab.ts';
import { pathKey } from './git-paths.ts';
import type { OmittedPath } from './import-trees.ts';
import { changesAt } from './single-paths.ts';

const gitName = '.git';
const reason = 'a Git repository of its own: its files come as plain files, its history does not';

/** The folders above these paths, but for the workspace itself: its own repository is no news. */
export function foldersAbove(keys: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const key of keys) {
    for (let slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1)) {
      const folder = key.slice(0, slash);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return folders;
}

/** Those of the folders, by their keys, that have become repositories since the seed. */
export async function findRepositories(
  files: GuestFiles,
  folders: Iterable<string>,
  context: WorkContext,
): Promise<OmittedPath[]> {
  const asked = new Set([...folders].map((folder) => `${folder}/${gitName}`));
  const found: OmittedPath[] = [];
  for await (const { path, before, after } of changesAt(files, [...asked], { hasContent: false }, context)) {
    const isAsked = asked.delete(pathKey(path));
    if (isAsked && before === undefined && after !== undefined) found.push({ path: path.toString('utf8'), reason });
  }
  return found;
}
