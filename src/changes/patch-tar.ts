// The files that a patch makes or changes, as the tar stream that the guest unpacks.
import type { ChangeSide } from '../agent/file-types.ts';
import { padding, tarEnd, writeHeader } from '../system/tar-write.ts';
import type { GitLab } from './git-lab.ts';
import { pathKey } from './git-paths.ts';
import { gitMode } from './import-trees.ts';
import { gatherBlob, readBlobs } from './lab-blobs.ts';
import type { RawChange } from './raw-diff.ts';

/** Streams new contents out of the lab; `origin` tells what stood there, or at the old name, for its permissions. */
export async function* tarOfChanges(
  lab: GitLab,
  changes: () => AsyncIterable<RawChange>,
  origin: (key: string) => ChangeSide | undefined,
): AsyncGenerator<Buffer> {
  const mtime = Date.now() / 1000;
  for await (const { of: change, size, content } of readBlobs(
    lab,
    () => written(changes()),
    ({ newBlob }) => newBlob,
  )) {
    const { key } = change;
    const common = { name: key, mode: permissions(change, origin(key)), mtime };
    if (change.newMode === '120000') {
      const linkname = pathKey(await gatherBlob(content()));
      yield writeHeader({ ...common, type: 'symlink', size: 0, linkname });
    } else {
      yield writeHeader({ ...common, type: 'file', size });
      yield* content();
      yield padding(size);
    }
  }
  yield tarEnd;
}

async function* written(changes: AsyncIterable<RawChange>): AsyncGenerator<RawChange> {
  for await (const change of changes) if (change.letter !== 'D') yield change;
}

/** Git knows one bit of the permissions; the others stay as they are. */
function permissions(change: RawChange, before: ChangeSide | undefined): number {
  if (change.newMode === '120000') return 0o777;
  const isExecutable = change.newMode === '100755';
  if (before?.type !== 'file') return isExecutable ? 0o755 : 0o644;
  const mode = before.mode & 0o777;
  if (gitMode(before) === change.newMode) return mode;
  if (!isExecutable) return mode & ~0o111;
  // Whoever may read may execute, as with `chmod +x`.
  return mode | ((mode & 0o444) >> 2) | 0o100;
}
