// Headers of tar archives, byte for byte: names and attributes are latin1 strings, so that no byte of them is lost.

export const blockSize = 512;

export type EntryType =
  | 'other'
  | 'file'
  | 'link'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo';

/** One entry of an archive. Each character of its strings is one byte. */
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

/** What is wrong with an archive; whose archive it is, the reader's caller says. */
export class TarError extends Error {
  /** True for what is in order, but cannot be read here */
  readonly isUnsupported: boolean;
  readonly hint: string | undefined;

  constructor(why: string, { isUnsupported = false, hint }: { isUnsupported?: boolean; hint?: string } = {}) {
    super(why);
    this.name = 'TarError';
    this.isUnsupported = isUnsupported;
    this.hint = hint;
  }
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

export const typeFlags: Readonly<Record<string, EntryType>> = {
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
export const xattrKey = 'SCHILY.xattr.';
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
export function readEntry(
  { flag, size, block }: RawHeader,
  { records, longName, longLink }: Extension,
  takesOther = false,
): TarEntry {
  const ownName = textAt(block, 0, 100);
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : '';
  // An empty value takes an earlier one back.
  const text = (key: string): string | undefined => records.get(key) || undefined;
  const name =
    text('GNU.sparse.name') ?? text('path') ?? longName ?? (prefix === '' ? ownName : `${prefix}/${ownName}`);
  const known = typeFlags[flag] ?? (takesOther ? 'other' : undefined);
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
    size: type === 'file' ? realSize() : type === 'other' ? number('size', size) : 0,
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

function bad(why: string): TarError {
  return new TarError(why);
}
