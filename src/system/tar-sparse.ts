// Files with holes in archives: GNU tar's old form and the three forms of PAX, which bsdtar and Go write as well.
import { gibibyte } from '../shared/units.ts';
import type { ByteReader } from './byte-reader.ts';
import { blockSize, numberAt, type RawHeader, shown, type TarEntry, TarError } from './tar-header.ts';

interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** How the data of one entry is stored. */
export interface Stored {
  /** Bytes of it that are left in the archive */
  readonly size: number;
  /** Where they belong; undefined where there are no holes */
  readonly pieces: readonly Piece[] | undefined;
}

const mostPieces = 1_000_000;
/** Holes cost nothing in an archive, but are read as zeros: of a hostile image, or of /var/log/lastlog with large ids. */
export const mostHoles = 64 * gibibyte;
const zeros = Buffer.alloc(256 * 1024);

/** Reads what stands between the header and the data, and, in the youngest form, the map at the data's beginning. */
export async function readStored(
  bytes: ByteReader,
  header: RawHeader,
  { records, entry }: { readonly records: ReadonlyMap<string, string>; readonly entry: TarEntry },
): Promise<Stored> {
  if (entry.type !== 'file') return { size: entry.size, pieces: undefined };
  // The size that an extended header gives is that of what is stored.
  const size = Number(records.get('size') || header.size);
  const isYoung = records.get('GNU.sparse.major') === '1';
  let pieces: Piece[];
  let left = size;
  if (header.flag === 'S') pieces = await readOldMap(bytes, header, entry);
  else if (isYoung) {
    const map = await readYoungMap(bytes, size, entry);
    pieces = map.pieces;
    left -= map.length;
  } else if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
    const words = (records.get('GNU.sparse.map') ?? '').split(',').filter((word) => word !== '');
    if (words.length !== 2 * Number(records.get('GNU.sparse.numblocks') ?? words.length / 2)) throw broken(entry);
    pieces = pairs(words, entry);
  } else return { size, pieces: undefined };
  check(pieces, left, entry);
  return { size: left, pieces };
}

/** The data as it is read from the file: zeros where it has holes. */
export async function* fillHoles(
  pieces: readonly Piece[],
  size: number,
  some: (most: number) => Promise<Buffer>,
): AsyncGenerator<Buffer> {
  let place = 0;
  for (const { offset, length } of [...pieces, { offset: size, length: 0 }]) {
    for (; place < offset; place += Math.min(zeros.length, offset - place))
      yield zeros.subarray(0, Math.min(zeros.length, offset - place));
    for (let left = length; left > 0; ) {
      const piece = await some(left);
      left -= piece.length;
      yield piece;
    }
    place += length;
  }
}

/** Pairs of numbers in the header, and in the blocks behind it that its last byte announces. */
async function readOldMap(bytes: ByteReader, { block }: RawHeader, entry: TarEntry): Promise<Piece[]> {
  if (block.toString('latin1', 257, 265) !== 'ustar  \0') {
    throw new TarError(`${shown(entry.name)} is a sparse entry in a format other than GNU tar's`, {
      isUnsupported: true,
      hint: 'build the image with another tool, or without sparse files',
    });
  }
  const pieces: Piece[] = [];
  const collect = (from: Buffer, start: number, count: number): void => {
    for (let place = start; place < start + count * 24 && from[place] !== 0; place += 24)
      pieces.push({ offset: numberAt(from, place, 12), length: numberAt(from, place + 12, 12) });
  };
  collect(block, 386, 4);
  for (let isMore = block[482] !== 0; isMore; ) {
    const next = await bytes.need(blockSize);
    collect(next, 0, 21);
    isMore = next[504] !== 0;
    if (pieces.length > mostPieces) throw broken(entry);
  }
  return pieces;
}

/** Lines of decimal numbers, the count first, filled up to whole blocks. */
async function readYoungMap(
  bytes: ByteReader,
  size: number,
  entry: TarEntry,
): Promise<{ pieces: Piece[]; length: number }> {
  const lines: string[] = [];
  let wanted = 1;
  let rest = '';
  let length = 0;
  while (lines.length < wanted) {
    length += blockSize;
    if (length > size) throw broken(entry);
    const parts = (rest + (await bytes.need(blockSize)).toString('latin1')).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) lines.push(part);
    const count = lines[0] === undefined ? 0 : wholeNumber(lines[0], entry);
    if (count > mostPieces || rest.length > blockSize) throw broken(entry);
    wanted = 1 + 2 * count;
  }
  return { pieces: pairs(lines.slice(1, wanted), entry), length };
}

function pairs(words: readonly string[], entry: TarEntry): Piece[] {
  if (words.length % 2 !== 0 || words.length > 2 * mostPieces) throw broken(entry);
  const pieces: Piece[] = [];
  for (let index = 0; index < words.length; index += 2)
    pieces.push({ offset: wholeNumber(words[index] ?? '', entry), length: wholeNumber(words[index + 1] ?? '', entry) });
  return pieces;
}

function wholeNumber(word: string, entry: TarEntry): number {
  const value = Number(word);
  if (!/^\d+$/.test(word) || !Number.isSafeInteger(value)) throw broken(entry);
  return value;
}

/** In order, without overlap, inside the file, and as long as what is stored. */
function check(pieces: readonly Piece[], stored: number, entry: TarEntry): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of pieces) {
    if (offset < end || offset + length > entry.size) throw broken(entry);
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw broken(entry);
}

function broken(entry: TarEntry): TarError {
  return new TarError(`has a sparse entry ${shown(entry.name)} whose map does not fit its data`);
}
