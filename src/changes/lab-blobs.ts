// Contents out of the lab, one after the other, from one process of Git.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { gatherPieces } from '../shared/gather-pieces.ts';
import { ByteReader } from '../system/byte-reader.ts';
import type { GitLab } from './git-lab.ts';

const chunkBytes = 256 * 1024;
const longestHeader = 256;

export interface LabBlob<T> {
  readonly of: T;
  /** Length of the content, `bytes` */
  readonly size: number;
  /** Must be read to its end before the next one is asked for */
  readonly content: () => AsyncIterable<Buffer>;
}

/** The content of each, by the id of its blob. `all` gives the same ones each time. */
export async function* readBlobs<T>(
  lab: GitLab,
  all: () => Iterable<T> | AsyncIterable<T>,
  blobOf: (each: T) => string,
): AsyncGenerator<LabBlob<T>> {
  await lab.run(['cat-file', '--batch'], {
    input: Readable.from(gatherPieces(lines(all(), blobOf))),
    outputFile: 'blobs',
  });
  const stream = createReadStream(lab.file('blobs'), { highWaterMark: chunkBytes });
  // The reader is told; one that was left before the file was open must not end this process.
  stream.on('error', () => undefined);
  const reader = new ByteReader(stream, { cutShort });
  try {
    for await (const each of all()) {
      const header = (await reader.line(longestHeader))?.toString('latin1') ?? '';
      const size = Number(/ blob (\d+)$/.exec(header)?.[1] ?? Number.NaN);
      if (Number.isNaN(size)) throw cutShort();
      yield { of: each, size, content: () => body(reader, size) };
      await reader.take(1);
    }
  } finally {
    await reader.close();
  }
}

async function* lines<T>(all: Iterable<T> | AsyncIterable<T>, blobOf: (each: T) => string): AsyncGenerator<Buffer> {
  for await (const each of all) yield Buffer.from(`${blobOf(each)}\n`);
}

async function* body(reader: ByteReader, size: number): AsyncGenerator<Buffer> {
  for (let missing = size; missing > 0; ) {
    const part = await reader.next(Math.min(missing, chunkBytes));
    missing -= part.length;
    yield part;
  }
}

export async function gatherBlob(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

function cutShort(): PyroError {
  return new PyroError('tool_failed', 'git ended before it had told all contents');
}
