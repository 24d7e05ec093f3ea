// Our tar writer and reader against each other, against the library, and against damage.
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { extract, pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { readGuestTar } from '../../../src/agent/guest-tar.ts';
import { isPyroError } from '../../../src/shared/errors.ts';
import { type NewEntry, padding, tarEnd, writeHeader } from '../../../src/system/tar-write.ts';
import { gather } from '../../support/fake-guest-files.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array));
const name = bytes.filter((path) => !path.includes(0) && path.at(-1) !== 0x2f);
const item = fc.record({
  path: name,
  type: fc.constantFrom('file', 'symlink', 'link', 'directory'),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  linkTarget: name,
  data: fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array)),
});

interface Item {
  readonly path: Buffer;
  readonly type: NewEntry['type'];
  readonly mode: number;
  readonly linkTarget?: Buffer;
  readonly data: Buffer;
}

function archiveOf(items: readonly Item[]): Buffer {
  const blocks = items.flatMap(({ path, type, mode, linkTarget, data }) => {
    const content = type === 'file' ? data : Buffer.alloc(0);
    const isLink = type === 'symlink' || type === 'link';
    const linkname = isLink ? (linkTarget ?? Buffer.alloc(0)).toString('latin1') : '';
    const name = `${path.toString('latin1')}${type === 'directory' ? '/' : ''}`;
    const head = writeHeader({ name, type, mode, linkname, size: content.length, mtime: 5 });
    return [head, content, padding(content.length)];
  });
  return Buffer.concat([...blocks, tarEnd]);
}

async function* chunks(source: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < source.length; start += size) yield source.subarray(start, start + size);
}

describe('tar', () => {
  it('comes back as it was written, whatever the bytes of names and the size of chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 5 }), fc.integer({ min: 1, max: 3000 }), async (items, size) => {
        const read: unknown[] = [];
        for await (const entry of readGuestTar(chunks(archiveOf(items), size))) {
          const { type, mode, linkTarget } = entry;
          const path = type === 'directory' ? entry.path.subarray(0, -1) : entry.path;
          read.push({ path, type, mode, linkTarget, data: await gather(entry.content()) });
        }
        const empty = Buffer.alloc(0);
        const expected = items.map((one) => ({
          ...one,
          linkTarget: one.type === 'symlink' || one.type === 'link' ? one.linkTarget : empty,
          data: one.type === 'file' ? one.data : empty,
        }));
        expect(read).toEqual(expected);
      }),
    );
  });

  it('is read by the library as it was written', async () => {
    const long = `${'folder/'.repeat(30)}ü`;
    const archive = archiveOf([
      { path: Buffer.from(long), type: 'file', mode: 0o644, data: Buffer.from('hello') },
      { path: Buffer.from('l'), type: 'symlink', mode: 0o777, linkTarget: Buffer.from(long), data: Buffer.alloc(0) },
    ]);
    const reader = extract();
    reader.end(archive);
    const seen: unknown[] = [];
    for await (const entry of reader) {
      seen.push([entry.header.name, entry.header.type, entry.header.linkname]);
      entry.resume();
    }
    expect(seen).toEqual([
      [long, 'file', null],
      ['l', 'symlink', long],
    ]);
  });

  it('of the library is read as it was written', async () => {
    const writer = pack();
    const long = `${'folder/'.repeat(30)}ü`;
    writer.entry({ name: long, mode: 0o755 }, 'hello');
    writer.entry({ name: `${'p/'.repeat(60)}plain` }, 'in the prefix field');
    writer.entry({ name: 'l', type: 'symlink', linkname: long });
    writer.finalize();
    const seen: string[][] = [];
    for await (const entry of readGuestTar(Readable.from(writer))) {
      const content = await gather(entry.content());
      seen.push([entry.path.toString(), entry.type, entry.linkTarget.toString(), content.toString()]);
    }
    expect(seen).toEqual([
      [long, 'file', '', 'hello'],
      [`${'p/'.repeat(60)}plain`, 'file', '', 'in the prefix field'],
      ['l', 'symlink', long, ''],
    ]);
  });

  it('that is damaged anywhere is read or refused, and nothing else', async () => {
    const whole = archiveOf([
      { path: Buffer.from('a'.repeat(150)), type: 'file', mode: 0o644, data: Buffer.from('x'.repeat(700)) },
      { path: Buffer.from('b'), type: 'file', mode: 0o644, data: Buffer.from('y') },
    ]);
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(whole.length), async (places, length) => {
        const broken = Buffer.from(whole).subarray(0, length);
        for (const [place, byte] of places) if (place < broken.length) broken[place] = byte;
        try {
          for await (const entry of readGuestTar(chunks(broken, 600))) await gather(entry.content());
        } catch (error) {
          if (!isPyroError(error, 'guest_protocol')) throw error;
        }
      }),
    );
  });

  it('with a file of holes, or without its end, is none of a guest', async () => {
    const body = Buffer.from('22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n31 GNU.sparse.realsize=99999999\n');
    const head = writeHeader({ name: 'PaxHeader', type: 'file', mode: 0o644, size: body.length, mtime: 0 });
    head.write('        x', 148, 'latin1');
    head.write(
      `${head
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    const data = Buffer.from('0\n'.padEnd(512, '\0'));
    const own = writeHeader({ name: 'x', type: 'file', mode: 0o644, size: data.length, mtime: 0 });
    const holes = Buffer.concat([head, body, padding(body.length), own, data, tarEnd]);
    const open = archiveOf([{ path: Buffer.from('a'), type: 'file', mode: 0o644, data: Buffer.alloc(5) }]);
    for (const archive of [holes, open.subarray(0, -tarEnd.length)]) {
      const read = async (): Promise<void> => {
        for await (const entry of readGuestTar(chunks(archive, 600))) await gather(entry.content());
      };
      await expect(read()).rejects.toMatchObject({ code: 'guest_protocol' });
    }
  });
});

it('an archive of a guest that goes on behind its end is refused, and one with a tape block of padding is not', async () => {
  const archive = archiveOf([{ path: Buffer.from('a'), type: 'file', mode: 0o644, data: Buffer.from('x') }]);
  const read = async (behind: number): Promise<number> => {
    const chunks = async function* (): AsyncGenerator<Buffer> {
      yield archive;
      for (let sent = 0; sent < behind; sent += 4096) yield Buffer.alloc(4096);
    };
    let count = 0;
    for await (const _ of readGuestTar(chunks())) count++;
    return count;
  };
  expect(await read(20_480)).toBe(1);
  await expect(read(Number.POSITIVE_INFINITY)).rejects.toMatchObject({
    code: 'guest_protocol',
    message: 'the archive goes on behind its end',
  });
});
