// The entries of a kept diff: in a file, one per line, because there may be many of them, and several diffs.
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DiffEntry, diffEntrySchema } from '../../changes/diff-types.ts';
import { PyroError, systemCodeOf } from '../../shared/errors.ts';

const linesOfPiece = 500;

export async function writeEntries(file: string, entries: readonly DiffEntry[]): Promise<void> {
  await pipeline(Readable.from(linesOf(entries)), createWriteStream(file, { mode: 0o600, flags: 'wx' }));
}

function* linesOf(entries: readonly DiffEntry[]): Generator<string> {
  for (let from = 0; from < entries.length; from += linesOfPiece) {
    yield entries
      .slice(from, from + linesOfPiece)
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join('');
  }
}

/** What is read of a kept diff, which a reset or a delete may take away at any moment. Throws `result_gone`. */
export async function whileKept<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    if (systemCodeOf(cause) !== 'ENOENT') throw cause;
    throw new PyroError('result_gone', 'the workspace was reset or deleted while its changes were read', {
      hint: 'make the same call again, if the workspace is still there',
      cause,
    });
  }
}

/** The first ones, as many as there are up to `most`. */
export async function readEntries(file: string, most: number): Promise<DiffEntry[]> {
  const entries: DiffEntry[] = [];
  if (most === 0) return entries;
  const source = createReadStream(file);
  try {
    for await (const line of createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })) {
      entries.push(diffEntrySchema.parse(JSON.parse(line)));
      if (entries.length >= most) break;
    }
  } finally {
    source.destroy();
  }
  return entries;
}
