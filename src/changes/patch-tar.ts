// The files that a patch makes or changes, as the tar stream that the guest unpacks.
import type { ChangeSide } from '../agent/file-types.ts';
import type { GitLab } from './git-lab.ts';
import { gitMode } from './import-trees.ts';
import { gatherBlob, readBlobs } from './lab-blobs.ts';
import type { RawChange } from './raw-diff.ts';
import { encodeTarHeader, tarEnd, tarPadding } from './tar-write.ts';

/** Streams new contents out of the lab; `origin` tells what stood there, or at the old name, for its permissions. */
export async function* tarOfChanges(
  lab: GitLab,
  changes: () => AsyncIterable<RawChange>,
  origin: (key: string) => ChangeSide | undefined,
): AsyncGenerator<Buffer> {
  const mtimeSeconds = Date.now() / 1000;
  for await (const { of: change, size, content } of readBlobs(
    lab,
    () => written(changes()),
    ({ newBlob }) => newBlob,
  )) {
    const { path, key } = change;
    const mode = permissions(change, origin(key));
    if (change.newMode === '120000') {
      const linkTarget = await gatherBlob(content());
      yield encodeTarHeader({ path, type: 'symlink', mode, size: 0, linkTarget, mtimeSeconds });
    } else {
      yield encodeTarHeader({ path, type: 'file', mode, size, mtimeSeconds });
      yield* content();
      yield tarPadding(size);
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
