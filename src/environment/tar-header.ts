// Headers of tar archives, byte for byte: names and attributes are latin1 strings, so that no byte of an image is lost.
import { PyroError } from '../shared/errors.ts';

export const blockSize = 512;

export type EntryType = 'file' | 'link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

/** One entry of a layer. Each character of its strings is one byte. */
export interface TarEntry {
  readonly name: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Length of its data, `bytes` */
  readonly size: number;
  /** Seconds since 1970 */
  readonly mtime: number;
  readonly linkname: string;
  readonly devmajor: number;
  readonly devminor: number;
  readonly xattrs: readonly (readonly [name: string, value: string])[];
}

/** What an extended header (PAX or GNU) says about the entry behind it. */
export interface Extension {
  readonly records: ReadonlyMap<string, string>;
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
}

/** A header as it is, before the extensions apply. */
export interface RawHeader {
  readonly flag: string;
  readonly size: number;
  readonly block: Buffer;
}

const types: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};
const sparseMap = 'GNU.sparse.map';
const xattrKey = 'SCHILY.xattr.';
/** Squashfs knows these families only; access control lists and the like have no place in it. */
const keptXattrs = /^(?:user|trusted|security)\../s;
const longestXattr = 65_536;

/** Header of one block; undefined for a block of zeros, the end of an archive. */
export function readRawHeader(block: Buffer): RawHeader | undefined {
  let sum = 0;
  let high = 0;
  for (let index = 0; index < blockSize; index++) {
    const byte = index >= 148 && index < 156 ? 32 : (block[index] ?? 0);
    sum += byte;
    if (byte >= 0x80) high++;
  }
  if (sum === 8 * 32) return undefined;
  const told = numberAt(block, 148, 8);
  // Some old tools add the bytes up as signed ones.
  if (told !== sum && told !== sum - 256 * high) throw bad('has a header whose checksum is wrong');
  return { flag: String.fromCharCode(block[156] ?? 0), size: numberAt(block, 124, 12), block };
}

/** The entry that a header and its extensions describe. */
export function readEntry({ flag, size, block }: RawHeader, { records, longName, longLink }: Extension): TarEntry {
  const ownName = textAt(block, 0, 100);
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : '';
  // An empty value takes an earlier one back.
  const text = (key: string): string | undefined => records.get(key) || undefined;
  const name =
    text('GNU.sparse.name') ?? text('path') ?? longName ?? (prefix === '' ? ownName : `${prefix}/${ownName}`);
  const known = types[flag];
  if (known === undefined) throw bad(`has an entry ${shown(name)} of the unknown type ${JSON.stringify(flag)}`);
  // Archives of old tools mark a folder by its trailing slash alone.
  const type = flag === '\0' && name.endsWith('/') ? 'directory' : known;
  const number = (key: string, own: number): number => {
    const digits = text(key);
    if (digits === undefined) return own;
    const value = Number(digits);
    if (!/^\d+$/.test(digits) || !Number.isSafeInteger(value))
      throw bad(`has an entry ${shown(name)} with a broken ${key}`);
    return value;
  };
  /** Of a file with holes less is stored. */
  const realSize = (): number => {
    if (flag === 'S') return number('GNU.sparse.realsize', numberAt(block, 483, 12));
    return number('GNU.sparse.realsize', number('GNU.sparse.size', number('size', size)));
  };
  const isDevice = /^[34]$/.test(flag);
  return {
    name,
    type,
    mode: numberAt(block, 100, 8) & 0o7777,
    uid: number('uid', numberAt(block, 108, 8)),
    gid: number('gid', numberAt(block, 116, 8)),
    // Some tools note the target's length on a link, where no data follows.
    size: type === 'file' ? realSize() : 0,
    mtime: clamp(Math.floor(Number(text('mtime') ?? numberAt(block, 136, 12, true))), 0xffffffff),
    linkname: text('linkpath') ?? longLink ?? textAt(block, 157, 100),
    // Old tools leave anything there in entries of other types.
    devmajor: isDevice ? numberAt(block, 329, 8) : 0,
    devminor: isDevice ? numberAt(block, 337, 8) : 0,
    xattrs: [...records]
      .filter(([key, value]) => key.startsWith(xattrKey) && value.length <= longestXattr)
      .map(([key, value]) => [key.slice(xattrKey.length), value] as const)
      .filter(([key]) => keptXattrs.test(key) && key.length <= 255),
  };
}

/** Records of a PAX header: `length key=value\n`, where a value may hold any byte. */
export function readPax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let start = 0; start < bytes.length; ) {
    const space = bytes.indexOf(32, start);
    const digits = space < 0 ? '' : bytes.toString('latin1', start, space);
    const end = start + Number(digits);
    const equals = bytes.indexOf(61, space);
    if (!/^[1-9]\d{0,8}$/.test(digits) || end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 10) {
      throw bad('has an extended header that does not parse');
    }
    const key = bytes.toString('latin1', space + 1, equals);
    const value = bytes.toString('latin1', equals + 1, end - 1);
    // The one record that may stand there many times; the later form of it has all in one.
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      const known = records.get(sparseMap);
      records.set(sparseMap, known === undefined ? value : `${known},${value}`);
    } else records.set(key, value);
    start = end;
  }
  return records;
}

/** Header blocks of an entry, with an extended header in front where the plain one is too small. */
export function writeHeader(entry: TarEntry): Buffer {
  const records: [string, string][] = entry.xattrs.map(([key, value]) => [xattrKey + key, value]);
  if (entry.name.length > 100) records.push(['path', entry.name]);
  if (entry.linkname.length > 100) records.push(['linkpath', entry.linkname]);
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
  bytes.write(entry.name.slice(0, 100), 0, 100, 'latin1');
  putNumber(bytes, entry.mode, 100, 8);
  putNumber(bytes, entry.uid, 108, 8);
  putNumber(bytes, entry.gid, 116, 8);
  putNumber(bytes, entry.size, 124, 12);
  putNumber(bytes, entry.mtime, 136, 12);
  bytes.write(`        ${flag}`, 148, 'latin1');
  bytes.write(entry.linkname.slice(0, 100), 157, 100, 'latin1');
  bytes.write('ustar\u000000', 257, 'latin1');
  putNumber(bytes, entry.devmajor, 329, 8);
  putNumber(bytes, entry.devminor, 337, 8);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function paxRecord(key: string, value: string): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`, 'latin1');
}

function flagOf(type: EntryType): string {
  return Object.entries(types).find(([, known]) => known === type)?.[0] ?? '0';
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

export function numberAt(bytes: Buffer, offset: number, length: number, mayBeNegative = false): number {
  const first = bytes[offset] ?? 0;
  if (first >= 0x80) {
    if (first === 0xff && mayBeNegative) return 0;
    let value = first & 0x7f;
    for (let index = offset + 1; index < offset + length; index++) value = value * 256 + (bytes[index] ?? 0);
    if (first === 0xff || !Number.isSafeInteger(value)) throw bad('has a header with a number out of range');
    return value;
  }
  const text = textAt(bytes, offset, length).trim();
  if (text === '') return 0;
  if (mayBeNegative && text.startsWith('-')) return 0;
  if (!/^[0-7]+$/.test(text)) throw bad('has a header with a broken number');
  return Number.parseInt(text, 8);
}

function textAt(bytes: Buffer, offset: number, length: number): string {
  const end = bytes.indexOf(0, offset);
  return bytes.toString('latin1', offset, end < 0 ? offset + length : Math.min(end, offset + length));
}

function clamp(value: number, most: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), most) : 0;
}

/** Name for an error message: cut, quoted, and its bytes read as UTF-8 again. */
export function shown(name: string): string {
  return JSON.stringify(Buffer.from(name.slice(0, 80), 'latin1').toString('utf8'));
}

function bad(why: string): PyroError {
  return new PyroError('image_invalid', why);
}
