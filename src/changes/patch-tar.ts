// The files that a patch makes or changes, as the tar stream that the guest unpacks.
import { createReadStream } from 'node:fs';
import type { ChangeSide } from '../agent/file-types.ts';
import { ByteReader, cutShort } from './byte-reader.ts';
import type { GitLab } from './git-lab.ts';
import { gitMode } from './import-trees.ts';
import type { RawChange } from './raw-diff.ts';
import { encodeTarHeader, tarEnd, tarPadding } from './tar-write.ts';

const chunkBytes = 256 * 1024;
const longestHeader = 256;

/** Streams new contents out of the lab; `origin` tells what stood there, or at the old name, for its permissions. */
export async function tarOfChanges(
  lab: GitLab,
  changes: readonly RawChange[],
  origin: (path: Buffer) => ChangeSide | undefined,
): Promise<AsyncIterable<Buffer>> {
  const written = changes.filter((change) => change.letter !== 'D');
  await lab.run(['cat-file', '--batch'], {
    input: written.map((change) => `${change.newBlob}\n`).join(''),
    outputFile: 'blobs',
  });
  return stream(lab.file('blobs'), written, origin);
}

async function* stream(
  file: string,
  changes: readonly RawChange[],
  origin: (path: Buffer) => ChangeSide | undefined,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(createReadStream(file, { highWaterMark: chunkBytes }));
  const mtimeSeconds = Date.now() / 1000;
  try {
    for (const change of changes) {
      const header = (await reader.line(longestHeader))?.toString('latin1') ?? '';
      const size = Number(/ blob (\d+)$/.exec(header)?.[1] ?? Number.NaN);
      if (Number.isNaN(size)) throw cutShort();
      const mode = permissions(change, origin(change.path));
      if (change.newMode === '120000') {
        const linkTarget = size === 0 ? Buffer.alloc(0) : await reader.take(size);
        if (linkTarget === undefined) throw cutShort();
        yield encodeTarHeader({ path: change.path, type: 'symlink', mode, size: 0, linkTarget, mtimeSeconds });
      } else {
        yield encodeTarHeader({ path: change.path, type: 'file', mode, size, mtimeSeconds });
        yield* body(reader, size);
        yield tarPadding(size);
      }
      await reader.take(1);
    }
    yield tarEnd;
  } finally {
    await reader.close();
  }
}

async function* body(reader: ByteReader, size: number): AsyncGenerator<Buffer> {
  for (let missing = size; missing > 0; ) {
    const part = await reader.some(Math.min(missing, chunkBytes));
    if (part === undefined) throw cutShort();
    missing -= part.length;
    yield part;
  }
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
