// Headers of archives: what is written is read again, and what GNU tar and others write is understood.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLayer } from '../../../src/environment/layer-reader.ts';
import { readPax, type TarEntry } from '../../../src/system/tar-header.ts';
import { padding, writeHeader } from '../../../src/system/tar-write.ts';
import { folderForAll } from '../../support/own-folder.ts';

let folder: string;
folderForAll('pyro-tar-', (made) => {
  folder = made;
});

async function read(bytes: Buffer): Promise<{ entry: TarEntry; data: string }[]> {
  const path = join(folder, 'layer');
  writeFileSync(path, bytes);
  const found: { entry: TarEntry; data: string }[] = [];
  for await (const { entry, data } of readLayer({ path, number: 1, signal: AbortSignal.timeout(10_000) })) {
    const pieces: Buffer[] = [];
    for await (const piece of data()) pieces.push(piece);
    found.push({ entry, data: Buffer.concat(pieces).toString('latin1') });
  }
  return found;
}

const plain: TarEntry = {
  name: 'x',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  linkname: '',
  devmajor: 0,
  devminor: 0,
  xattrs: [],
};
const end = Buffer.alloc(1024);

describe('tar headers', () => {
  it('come back as they were written, whatever the bytes of names and attributes', async () => {
    const bytes = (maxLength: number) =>
      fc
        .uint8Array({ minLength: 1, maxLength })
        .map((array) => Buffer.from(array.map((byte) => (byte === 0 ? 1 : byte))).toString('latin1'));
    const number = fc.oneof(fc.nat(0o7777777), fc.integer({ min: 0, max: 0xffffffff }));
    await fc.assert(
      fc.asyncProperty(bytes(300), bytes(300), number, number, fc.nat(0o7777), fc.uint8Array(), async (...values) => {
        const [name, linkname, uid, mtime, mode, attribute] = values;
        const value = Buffer.from(attribute).toString('latin1');
        const xattrs = [['security.capability', value] as const];
        const entry: TarEntry = { ...plain, type: 'symlink', name, linkname, uid, gid: uid, mtime, mode, xattrs };
        expect(await read(Buffer.concat([writeHeader(entry), end]))).toEqual([{ entry, data: '' }]);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['gnu', ['--format=gnu']],
    ['posix', ['--format=posix']],
    ['ustar', ['--format=ustar']],
  ])('of GNU tar in the format %s are read', async (_name, options) => {
    const name = `${'d'.repeat(90)}/${'n'.repeat(90)}`;
    const tree = mkdtempSync(join(folder, 'tree-'));
    spawnSync('mkdir', ['-p', join(tree, 'd'.repeat(90))]);
    writeFileSync(join(tree, name), 'content');
    const archive = join(folder, 'gnu.tar');
    spawnSync('tar', [...options, '--owner=:70000', '--mtime=@1700000000', '-cf', archive, '-C', tree, name]);
    const [first] = await read(readFileSync(archive));
    expect(first).toMatchObject({ entry: { name, type: 'file', uid: 70_000, mtime: 1_700_000_000 }, data: 'content' });
  });

  it.each([
    ['gzip members', gzipSync],
    ['zstd frames', zstdCompressSync],
  ])('are read from any number of %s', async (_name, compress) => {
    const archive = Buffer.concat([writeHeader({ ...plain, size: 5 }), Buffer.from('hello'), padding(5), end]);
    const pieces = [archive.subarray(0, 700), archive.subarray(700)].map((piece) => compress(piece));
    expect(await read(Buffer.concat(pieces))).toEqual([{ entry: { ...plain, size: 5 }, data: 'hello' }]);
  });

  it('skip the zstd frames that carry no data', async () => {
    const skipped = Buffer.from('502a4d1803000000616263', 'hex');
    const archive = Buffer.concat([writeHeader(plain), end]);
    expect(await read(Buffer.concat([skipped, zstdCompressSync(archive), skipped]))).toHaveLength(1);
  });

  it.each([
    ['xz', Buffer.from('fd377a585a000004', 'hex')],
    ['bzip2', Buffer.from('BZh91AY&SY')],
  ])('name the compression %s, which is not read', async (name, start) => {
    await expect(read(Buffer.concat([start, Buffer.alloc(600)]))).rejects.toMatchObject({
      code: 'image_unsupported',
      message: `layer 1: is compressed with ${name}`,
    });
    const entry = { ...plain, name: 'BZh9-is-a-name' };
    expect(await read(Buffer.concat([writeHeader(entry), end]))).toEqual([{ entry, data: '' }]);
  });

  it('of old tools are read: no magic, devices of any bytes, sums of signed bytes', async () => {
    const header = writeHeader({ ...plain, name: 'caf\xe9' });
    header.fill(0, 257, 265);
    header.fill(0xff, 329, 345);
    expect(await read(Buffer.concat([withChecksum(header, 256 * 17), end]))).toEqual([
      { entry: { ...plain, name: 'caf\xe9' }, data: '' },
    ]);
  });

  it('of times before 1970 and owners beyond the octal digits are read', async () => {
    const tree = mkdtempSync(join(folder, 'odd-'));
    writeFileSync(join(tree, 'x'), 'y');
    const archive = join(folder, 'odd.tar');
    for (const format of ['gnu', 'posix']) {
      const options = [`--format=${format}`, '--owner=:4000000000', '--group=:2097152', '--mtime=@-5.5'];
      spawnSync('tar', [...options, '-cf', archive, '-C', tree, 'x']);
      const [first] = await read(readFileSync(archive));
      expect(first).toMatchObject({ entry: { uid: 4_000_000_000, gid: 2_097_152, mtime: 0 }, data: 'y' });
    }
  });

  it('leave global ones aside', async () => {
    const body = Buffer.from('20 path=of-nothing\n30 comment=0123456789abcdef\n', 'latin1');
    const head = withFlag('g', { ...plain, size: body.length }).subarray(0, 512);
    const archive = Buffer.concat([head, body, padding(body.length), writeHeader(plain), end]);
    expect(await read(archive)).toEqual([{ entry: plain, data: '' }]);
  });

  it.each([
    ['a wrong checksum', Buffer.concat([Buffer.alloc(512, 65), end])],
    ['an entry cut short', Buffer.concat([writeHeader({ ...plain, size: 600 }), Buffer.alloc(512)])],
    ['an unknown type', withFlag('V')],
    ['broken gzip data', Buffer.concat([Buffer.from('1f8b0800', 'hex'), Buffer.alloc(600, 1)])],
    ['broken zstd data', Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(600, 1)])],
  ])('are refused for %s', async (_name, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringMatching(/^layer 1: /),
    });
  });

  it('throw only errors of ours for any bytes', async () => {
    const sized = fc.uint8Array({ maxLength: 2000, size: 'max' });
    await fc.assert(
      fc.asyncProperty(sized, fc.nat(511), fc.nat(255), async (noise, place, value) => {
        const archive = Buffer.concat([writeHeader({ ...plain, size: 3 }), Buffer.from('abc'), padding(3), noise]);
        archive[place] = value;
        await read(archive).catch((error: unknown) => {
          expect(error).toMatchObject({ name: 'PyroError' });
        });
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array(), (noise) => {
        try {
          readPax(Buffer.from(noise));
        } catch (error) {
          expect(error).toMatchObject({ name: 'TarError' });
        }
      }),
    );
  });
});

/** A header with another type, its checksum made right. */
function withFlag(flag: string, entry = plain): Buffer {
  const header = writeHeader(entry);
  header.write(flag, 156, 'latin1');
  return Buffer.concat([withChecksum(header), end]);
}

function withChecksum(header: Buffer, less = 0): Buffer {
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, -less);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
