// What stood in the guest where a patch is about to write, so that nothing is written over that was not seen.
import { createHash } from 'node:crypto';
import type { ChangeSide, ExpectedItem } from '../agent/file-types.ts';
import type { GitLab } from './git-lab.ts';
import { readBlobs } from './lab-blobs.ts';
import type { RawChange } from './raw-diff.ts';

const linkMode = '120000';

/** Each changed path as it was read; a folder that a file takes the place of is looked at elsewhere. */
export async function* standingOf(
  lab: GitLab,
  changes: () => AsyncIterable<RawChange>,
  before: (key: string) => ChangeSide | undefined,
): AsyncGenerator<ExpectedItem> {
  let hasOld = false;
  for await (const { letter, key, path } of changes()) {
    if (letter !== 'A') hasOld = true;
    else if (before(key) === undefined) yield { path, type: 'none', mode: 0, size: 0, sha256: '' };
  }
  if (!hasOld) return;
  for await (const { of: change, size, content } of readBlobs(
    lab,
    () => seen(changes()),
    ({ oldBlob }) => oldBlob,
  )) {
    const hash = createHash('sha256');
    for await (const chunk of content()) hash.update(chunk);
    const type = change.oldMode === linkMode ? 'symlink' : 'file';
    const mode = (before(change.key)?.mode ?? 0) & 0o7777;
    yield { path: change.path, type, mode, size, sha256: hash.digest('hex') };
  }
}

async function* seen(changes: AsyncIterable<RawChange>): AsyncGenerator<RawChange> {
  for await (const change of changes) if (change.letter !== 'A') yield change;
}
