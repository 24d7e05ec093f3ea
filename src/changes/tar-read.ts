// Entries of a tar stream with their names as raw bytes; every header is hostile until it has been checked.
import { PyroError } from '../shared/errors.ts';
import { ByteReader, cutShort } from './byte-reader.ts';

export interface TarEntry {
  readonly path: Buffer;
  readonly type: 'file' | 'directory' | 'symlink' | 'link' | 'other';
  readonly mode: number;
  readonly size: number;
  readonly linkTarget: Buffer;
  /** Data of the entry; what is not read is skipped when the next entry is asked for */
  readonly content: () => AsyncIterable<Buffer>;
}

interface Overrides {
  path?: Buffer;
  linkTarget?: Buffer;
  size?: number;
}

const block = 512;
const chunkBytes = 256 * 1024;
const longestExtension = 64 * 1024;
const types: Readonly<Record<string, TarEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
  '7': 'file',
};

/** Reads an archive to its end. Throws `guest_protocol` for one that is damaged. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source);
  try {
    let overrides: Overrides = {};
    for (;;) {
      const header = await reader.take(block);
      if (header === undefined) throw cutShort();
      if (header.every((byte) => byte === 0)) break;
      checkSum(header);
      const flag = String.fromCharCode(header[156] ?? 0);
      const size = overrides.size ?? readNumber(header, 124, 12);
      if (flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K') {
        const body = await readExtension(reader, readNumber(header, 124, 12));
        if (flag === 'x') overrides = { ...overrides, ...readPax(body) };
        if (flag === 'L') overrides.path = untilZero(body, 0, body.length);
        if (flag === 'K') overrides.linkTarget = untilZero(body, 0, body.length);
        continue;
      }
      const type = types[flag] ?? 'other';
      const body = new Body(reader, type === 'file' || type === 'other' ? size : 0);
      yield {
        path: overrides.path ?? ustarPath(header),
        type,
        mode: readNumber(header, 100, 8) & 0o7777,
        size: body.size,
        linkTarget: overrides.linkTarget ?? untilZero(header, 157, 100),
        content: () => body.read(),
      };
      overrides = {};
      await body.skip();
    }
    // The sender may pad the end; reading it lets its side of the stream finish.
    while ((await reader.some(chunkBytes)) !== undefined);
  } finally {
    await reader.close();
  }
}

class Body {
  readonly size: number;
  readonly #reader: ByteReader;
  #missing: number;

  constructor(reader: ByteReader, size: number) {
    this.#reader = reader;
    this.size = size;
    this.#missing = size;
  }

  async *read(): AsyncGenerator<Buffer> {
    while (this.#missing > 0) {
      const part = await this.#reader.some(Math.min(this.#missing, chunkBytes));
      if (part === undefined) throw cutShort();
      this.#missing -= part.length;
      yield part;
    }
  }

  async skip(): Promise<void> {
    for await (const _ of this.read());
    const padding = (block - (this.size % block)) % block;
    if (padding > 0 && (await this.#reader.take(padding)) === undefined) throw cutShort();
  }
}

async function readExtension(reader: ByteReader, size: number): Promise<Buffer> {
  if (size > longestExtension) throw damaged('has an extension that is too long');
  const body = await reader.take(Math.ceil(size / block) * block);
  if (body === undefined && size > 0) throw cutShort();
  return (body ?? Buffer.alloc(0)).subarray(0, size);
}

function readPax(body: Buffer): Overrides {
  const overrides: Overrides = {};
  for (let rest = body; rest.length > 0; ) {
    const space = rest.indexOf(0x20);
    const length = Number(rest.toString('latin1', 0, Math.max(0, space)));
    if (space < 1 || !Number.isSafeInteger(length) || length <= space + 1 || length > rest.length)
      throw damaged('has a broken PAX record');
    const record = rest.subarray(space + 1, length - 1);
    const equals = record.indexOf(0x3d);
    const key = record.toString('latin1', 0, Math.max(0, equals));
    const value = record.subarray(equals + 1);
    if (key === 'path') overrides.path = value;
    if (key === 'linkpath') overrides.linkTarget = value;
    if (key === 'size') overrides.size = checkSize(Number(value.toString('latin1')));
    if (key.startsWith('GNU.sparse.')) throw damaged('has a sparse file, which no guest sends');
    rest = rest.subarray(length);
  }
  return overrides;
}

function ustarPath(header: Buffer): Buffer {
  const name = untilZero(header, 0, 100);
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? untilZero(header, 345, 155) : Buffer.alloc(0);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

function untilZero(bytes: Buffer, start: number, length: number): Buffer {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end));
}

/** Octal text, or a big-endian number when the first bit is set. */
function readNumber(header: Buffer, start: number, length: number): number {
  const field = header.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) === 0) {
    const text = field.toString('latin1').replace(/[\0 ]+$/, '');
    if (!/^ *[0-7]*$/.test(text)) throw damaged('has a number that does not parse');
    return checkSize(Number.parseInt(text.trim() || '0', 8));
  }
  if (field[0] !== 0x80) throw damaged('has a negative number');
  return checkSize(field.subarray(1).reduce((total, byte) => total * 256 + byte, 0));
}

function checkSize(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw damaged('has a number out of range');
}

function checkSum(header: Buffer): void {
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (readNumber(header, 148, 8) !== sum) throw damaged('has a wrong checksum');
}

function damaged(why: string): PyroError {
  return new PyroError('guest_protocol', `the archive ${why}`);
}
