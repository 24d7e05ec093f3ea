// The one writer of tar: headers byte for byte, since names need not be text and libraries know text only.
import { blockSize, type EntryType, type TarEntry, typeFlags, xattrKey } from './tar-header.ts';

/** An entry to write: what is left out is nothing, and belongs to root. */
export type NewEntry = Pick<TarEntry, 'name' | 'type' | 'mode' | 'size' | 'mtime'> & Partial<TarEntry>;

const longestName = 100;

/** Two empty blocks, which end an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockSize);

/** Header blocks of an entry, with an extended header in front where the plain one is too small. */
export function writeHeader(header: NewEntry): Buffer {
  const entry = { uid: 0, gid: 0, linkname: '', devmajor: 0, devminor: 0, xattrs: [], ...header };
  const records: [string, string][] = entry.xattrs.map(([key, value]) => [xattrKey + key, value]);
  if (entry.name.length > longestName) records.push(['path', entry.name]);
  if (entry.linkname.length > longestName) records.push(['linkpath', entry.linkname]);
  const own = block(entry, flagOf(entry.type));
  if (records.length === 0) return own;
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const head = { ...entry, name: 'PaxHeader', linkname: '', size: body.length };
  return Buffer.concat([block(head, 'x'), body, padding(body.length), own]);
}

/** Zeros that fill the last block of data of this length. */
export function padding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

function block(entry: TarEntry, flag: string): Buffer {
  const bytes = Buffer.alloc(blockSize);
  bytes.write(entry.name.slice(0, longestName), 0, longestName, 'latin1');
  putNumber(bytes, entry.mode, 100, 8);
  putNumber(bytes, entry.uid, 108, 8);
  putNumber(bytes, entry.gid, 116, 8);
  putNumber(bytes, entry.size, 124, 12);
  putNumber(bytes, Math.max(0, Math.floor(entry.mtime)), 136, 12);
  bytes.write(`        ${flag}`, 148, 'latin1');
  bytes.write(entry.linkname.slice(0, longestName), 157, longestName, 'latin1');
  bytes.write('ustar\u000000', 257, 'latin1');
  putNumber(bytes, entry.devmajor, 329, 8);
  putNumber(bytes, entry.devminor, 337, 8);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** `LENGTH key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`, 'latin1');
}

function flagOf(type: EntryType): string {
  return Object.entries(typeFlags).find(([, known]) => known === type)?.[0] ?? '6';
}

/** Octal digits, or big-endian bytes behind a mark where those do not suffice. */
function putNumber(bytes: Buffer, value: number, offset: number, length: number): void {
  const octal = value.toString(8);
  if (octal.length < length) {
    bytes.write(octal.padStart(length - 1, '0'), offset, 'latin1');
    return;
  }
  let rest = value;
  for (let index = offset + length - 1; index > offset; index--) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[offset] = 0x80;
}
