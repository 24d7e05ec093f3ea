// What stood in the guest where a patch is about to write, so that nothing is written over that was not seen.
import { createHash } from 'node:crypto';
import type { ChangeSide, ExpectedItem } from '../agent/file-types.ts';
import type { GitLab } from './git-lab.ts';
import { readBlobs } from './lab-blobs.ts';
import type { RawChange } from './raw-diff.ts';

const linkMode = '120000';

/** Each changed path as it was read; a folder that a file takes the place of is looked at elsewhere. */
export async function standingOf(
  lab: GitLab,
  changes: readonly RawChange[],
  before: (path: Buffer) => ChangeSide | undefined,
): Promise<ExpectedItem[]> {
  const items: ExpectedItem[] = changes
    .filter(({ letter, path }) => letter === 'A' && before(path) === undefined)
    .map(({ path }) => ({ path, type: 'none', mode: 0, size: 0, sha256: '' }));
  const seen = changes.filter(({ letter }) => letter !== 'A');
  for await (const { of: change, size, content } of readBlobs(lab, seen, ({ oldBlob }) => oldBlob)) {
    const hash = createHash('sha256');
    for await (const chunk of content()) hash.update(chunk);
    const type = change.oldMode === linkMode ? 'symlink' : 'file';
    const mode = (before(change.path)?.mode ?? 0) & 0o7777;
    items.push({ path: change.path, type, mode, size, sha256: hash.digest('hex') });
  }
  return items;
}
