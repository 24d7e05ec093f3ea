// Whether the result of a patch has room in the guest: nothing that the patch does not name may go away.
import type { ChangeSide, GuestFiles } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import type { WorkContext } from './git-lab.ts';
import { refusalOfGit, workspaceFolder } from './git-paths.ts';
import type { RawChange } from './raw-diff.ts';

const listingLimit = 1000;
const deepest = 128;

/** Gives the folders that a file of the patch takes the place of. Throws `patch_failed` or `patch_invalid`. */
export async function checkPlaces(
  files: GuestFiles,
  changes: () => AsyncIterable<RawChange>,
  touched: ReadonlySet<string>,
  before: (key: string) => ChangeSide | undefined,
  context: WorkContext,
): Promise<Buffer[]> {
  const replaced: Buffer[] = [];
  for await (const change of changes()) {
    const { path: at } = change;
    const name = at.toString('utf8');
    if (change.newMode === '160000') throw refused('patch_invalid', name, 'is a submodule, which a patch cannot carry');
    if (refusalOfGit(at, change.newMode === '120000') !== undefined)
      throw refused('patch_invalid', name, 'may not be a link');
    // Git lets a new path take the place of a file that stands where it needs a folder.
    if (!touched.has(change.key)) throw refused('patch_failed', name, 'is a file where the patch needs a folder');
    if (change.letter !== 'D' && before(change.key)?.type === 'directory') {
      let deleted = 0;
      for await (const { letter, key } of changes()) if (letter === 'D' && key.startsWith(`${change.key}/`)) deleted++;
      if ((await countLeaves(files, at, deleted, context)) > deleted)
        throw refused('patch_failed', name, 'is a folder with files that the patch does not delete');
      replaced.push(at);
    }
  }
  return replaced;
}

/** Files and links below a folder, as far as there are at most `enough`. */
async function countLeaves(files: GuestFiles, folder: Buffer, enough: number, context: WorkContext): Promise<number> {
  const path = `${workspaceFolder}/${folder.toString('utf8')}`;
  let count = 0;
  let cursor: string | undefined;
  do {
    const listing = await files.list(
      { path, depth: deepest, limit: listingLimit, ...(cursor === undefined ? {} : { cursor }) },
      { signal: context.signal },
    );
    count += listing.entries.filter((entry) => entry.type !== 'directory').length;
    cursor = listing.nextCursor;
  } while (cursor !== undefined && count <= enough);
  return count;
}

function refused(code: 'patch_failed' | 'patch_invalid', path: string, why: string): PyroError {
  return new PyroError(code, `${workspaceFolder}/${path} ${why}`, {
    hint: 'nothing was changed',
    details: { path, hunk: null, line: null },
  });
}
