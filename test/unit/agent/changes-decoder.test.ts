// The decoders of what a guest sends about files: right from any cut of the bytes, and guest_protocol for hostile ones.
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChanges } from '../../../src/agent/changes-decoder.ts';
import { decodeComparison } from '../../../src/agent/guest-trees.ts';

interface Side {
  readonly type: string;
  readonly mode: number;
  readonly size: number;
}

function frame(kind: number, payload: Buffer | object): Buffer {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  const header = Buffer.alloc(5);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

const head = (path: string | Buffer, before?: Side, after?: Side): Buffer =>
  frame(1, { path: Buffer.from(path).toString('base64'), before, after });
const file = (size: number): Side => ({ type: 'file', mode: 0o644, size });
const end = frame(4, { torn: false });
const all = (records: number): Buffer => frame(5, { records });

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function decode(bytes: Buffer, sizes: readonly number[] = [bytes.length || 1], isReading = true) {
  const seen: [string, string, string][] = [];
  for await (const change of decodeChanges(cut(bytes, sizes), true)) {
    const [before, after] = isReading
      ? [await buffer(change.contentBefore()), await buffer(change.contentAfter())]
      : [Buffer.alloc(0), Buffer.alloc(0)];
    seen.push([change.path.toString('hex'), before.toString('hex'), after.toString('hex')]);
  }
  return seen;
}

const content = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined });
const records = fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), content, content), { maxLength: 8 });

describe('decodeChanges', () => {
  it('gives the same changes however the bytes are cut, read or skipped', async () => {
    await fc.assert(
      fc.asyncProperty(
        records,
        fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1, maxLength: 20 }),
        async (wanted, sizes) => {
          const named = wanted.map(([path, ...sides]) => [Buffer.from(path).toString('hex'), ...sides] as const);
          const bytes = named.flatMap(([path, before, after]) => [
            head(path, before && file(before.length), after && file(after.length)),
            ...[...(before ?? [])].map((byte) => frame(2, Buffer.from([byte]))),
            ...(after === undefined || after.length === 0 ? [] : [frame(3, Buffer.from(after))]),
            end,
          ]);
          const stream = Buffer.concat([...bytes, all(named.length)]);
          const hex = (side: Uint8Array | undefined): string => Buffer.from(side ?? []).toString('hex');
          expect(await decode(stream, sizes)).toEqual(
            named.map(([path, before, after]) => [Buffer.from(path).toString('hex'), hex(before), hex(after)]),
          );
          expect((await decode(stream, sizes, false)).map(([path]) => path)).toEqual(
            named.map(([path]) => Buffer.from(path).toString('hex')),
          );
        },
      ),
    );
  });

  it('tells when a file changed while it was read', async () => {
    const bytes = Buffer.concat([
      head('a', undefined, file(1)),
      frame(3, Buffer.from('x')),
      frame(4, { torn: true }),
      all(1),
    ]);
    for await (const change of decodeChanges(cut(bytes, [7]), true)) expect(await change.isTorn?.()).toBe(true);
  });

  it('hands on what the guest says of its failure', async () => {
    await expect(decode(frame(6, { code: 'file_missing', message: 'gone' }))).rejects.toMatchObject({
      code: 'file_missing',
      message: 'gone',
    });
  });

  const x = frame(3, Buffer.from('x'));
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no end of all', Buffer.concat([head('a', undefined, file(0)), end])],
    ['half a frame', all(0).subarray(0, -1)],
    ['a wrong count', all(1)],
    ['something behind the end', Buffer.concat([all(0), all(0)])],
    ['an unknown kind', frame(9, Buffer.from('x'))],
    ['content before a head', x],
    [
      'more content than announced',
      Buffer.concat([head('a', undefined, file(1)), frame(3, Buffer.from('xy')), end, all(1)]),
    ],
    ['less content than announced', Buffer.concat([head('a', undefined, file(2)), x, end, all(1)])],
    ['empty content', Buffer.concat([head('a', undefined, file(1)), frame(3, Buffer.alloc(0)), x, end, all(1)])],
    ['the sides exchanged', Buffer.concat([head('a', file(1), file(1)), x, frame(2, Buffer.from('x')), end, all(1)])],
    [
      'a folder with content',
      Buffer.concat([head('a', undefined, { type: 'directory', mode: 0o755, size: 1 }), x, end, all(1)]),
    ],
    ['a size out of range', head('a', undefined, file(-1))],
    ['a size that is no number of bytes', head('a', undefined, file(2 ** 60))],
    ['a mode out of range', head('a', undefined, { type: 'file', mode: 0o10000, size: 0 })],
    ['no JSON', frame(1, Buffer.from('{'))],
    ['a path of no base64', frame(1, { path: '*' })],
    ['an absolute path', head('/etc/passwd')],
    ['a path upwards', head('a/../../b')],
    ['a dot', head('./a')],
    ['an empty path', head('')],
    ['an empty part', head('a//b')],
    ['a zero byte', head(Buffer.from([97, 0, 98]))],
    ['a path too long', head('a'.repeat(4097))],
  ])('refuses %s', async (_name, bytes) => {
    await expect(decode(bytes)).rejects.toMatchObject({ code: 'guest_protocol' });
    await expect(decode(bytes, [1], false)).rejects.toMatchObject({ code: 'guest_protocol' });
  });

  it('refuses a path through more folders than anybody makes', async () => {
    const bytes = Buffer.concat([head(`${'n/'.repeat(2000)}n`, undefined, file(0)), end, all(1)]);
    await expect(decode(bytes)).rejects.toMatchObject({ code: 'diff_too_large' });
    const deepest = Buffer.concat([head(`${'n/'.repeat(1999)}n`, undefined, file(0)), end, all(1)]);
    expect(await decode(deepest)).toHaveLength(1);
  });

  it('refuses a frame that a guest must not choose the length of', async () => {
    const header = Buffer.from([1, 0xff, 0xff, 0xff, 0xff]);
    await expect(decode(header)).rejects.toMatchObject({ code: 'guest_protocol' });
  });

  it('throws nothing but guest_protocol on hostile bytes', async () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 20 }))
        .map(([kind, bytes]) => frame(kind, Buffer.from(bytes))),
      fc.tuple(fc.integer({ min: 0, max: 5 }), fc.json()).map(([kind, json]) => frame(kind, Buffer.from(json))),
      fc.tuple(fc.string(), fc.nat(5), fc.nat(5)).map(([path, before, after]) => head(path, file(before), file(after))),
      fc.constantFrom(end, all(1), x, frame(2, Buffer.from('ab'))),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 10 }), fc.integer({ min: 1, max: 30 }), async (parts, size) => {
        const bytes = Buffer.concat(parts);
        // An honest stream may come out by chance; then there is nothing to refuse.
        const failure = await decode(bytes, [size]).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toMatchObject({ code: 'guest_protocol' });
      }),
      { numRuns: 500 },
    );
  });
});

describe('decodeComparison', () => {
  const lines = (...parts: unknown[]): Buffer => Buffer.from(parts.map((part) => `${JSON.stringify(part)}\n`).join(''));
  const decodeLines = async (bytes: Buffer, size = 5) => await decodeComparison(cut(bytes, [size]), 3);

  it('joins the lines of an answer', async () => {
    const bytes = lines(
      { different: [0] },
      { different: [2], extra: [Buffer.from([0xff]).toString('base64')] },
      { end: true },
    );
    expect(await decodeLines(bytes)).toEqual({ different: [0, 2], extra: [Buffer.from([0xff])] });
  });

  it.each([
    ['an index that belongs to no item', lines({ different: [3] }, { end: true })],
    ['an index twice', lines({ different: [1, 1] }, { end: true })],
    ['a path upwards', lines({ extra: [Buffer.from('../x').toString('base64')] }, { end: true })],
    ['no end', lines({ different: [1] })],
    ['something behind the end', lines({ end: true }, { different: [1] })],
    ['half a line', lines({ end: true }).subarray(0, -1)],
    ['no JSON', Buffer.from('{\n')],
    ['a line too long', Buffer.alloc(1_100_000, 'x')],
  ])('refuses %s', async (_name, bytes) => {
    await expect(decodeLines(bytes, 100_000)).rejects.toMatchObject({ code: 'guest_protocol' });
  });
});
