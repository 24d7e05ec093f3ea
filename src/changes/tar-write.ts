// Tar headers from raw bytes, since names in a guest need not be UTF-8 and libraries know text only.

export type TarType = 'file' | 'directory' | 'symlink' | 'link';

export interface TarHeader {
  readonly path: Buffer;
  /** `other` for the name alone of what has no content */
  readonly type: TarType | 'other';
  /** Permission bits, 0 to 0o7777 */
  readonly mode: number;
  /** Length of the data behind the header, `bytes` */
  readonly size: number;
  readonly linkTarget?: Buffer;
  /** Seconds since 1970 */
  readonly mtimeSeconds: number;
}

const block = 512;
const longestName = 100;
const largestOctalSize = 0o77777777777;
const typeFlags = { file: '0', link: '1', symlink: '2', directory: '5', other: '6' } as const satisfies Record<
  TarHeader['type'],
  string
>;

/** Two empty blocks, which end an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * block);

/** Header blocks of one entry; what the fixed fields cannot hold goes into a PAX record before it. */
export function encodeTarHeader(header: TarHeader): Buffer {
  const path =
    header.type === 'directory' && header.path.at(-1) !== 0x2f
      ? Buffer.concat([header.path, Buffer.from('/')])
      : header.path;
  const target = header.linkTarget ?? Buffer.alloc(0);
  const records: Buffer[] = [];
  if (path.length > longestName) records.push(paxRecord('path', path));
  if (target.length > longestName) records.push(paxRecord('linkpath', target));
  if (header.size > largestOctalSize) records.push(paxRecord('size', Buffer.from(String(header.size))));
  const plain = headerBlock(header, path, target, typeFlags[header.type], Math.min(header.size, largestOctalSize));
  if (records.length === 0) return plain;
  const body = Buffer.concat(records);
  const extended = headerBlock(header, Buffer.from('PaxHeader'), Buffer.alloc(0), 'x', body.length);
  return Buffer.concat([extended, body, tarPadding(body.length), plain]);
}

/** Zeros that fill the last block behind `size` bytes of data. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

function headerBlock(header: TarHeader, path: Buffer, target: Buffer, flag: string, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  path.copy(bytes, 0, 0, longestName);
  bytes.write(octal(header.mode & 0o7777, 7), 100, 'latin1');
  bytes.write(octal(0, 7), 108, 'latin1');
  bytes.write(octal(0, 7), 116, 'latin1');
  bytes.write(octal(size, 11), 124, 'latin1');
  bytes.write(octal(Math.max(0, Math.floor(header.mtimeSeconds)), 11), 136, 'latin1');
  bytes.write('        ', 148, 'latin1');
  bytes.write(flag, 156, 'latin1');
  target.copy(bytes, 157, 0, longestName);
  bytes.write('ustar\u000000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return bytes;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** `LENGTH key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
