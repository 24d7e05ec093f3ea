// The host's client of single files against the real agent as a plain process.
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GuestFiles } from '../../src/agent/file-types.ts';
import { type PlainAgent, plant, startPlainAgent } from '../support/plain-agent.ts';

let agent: PlainAgent;
let files: GuestFiles;
let workspace: string;

beforeAll(async () => {
  agent = await startPlainAgent();
  ({ files, workspace } = agent);
});
afterAll(async () => await agent.stop());
beforeEach(() => agent.clear());

describe('listing', () => {
  it('gives pages that together are everything, sorted by path', async () => {
    plant(workspace, { 'a/c': '1', 'a-b': '22', 'a/d/e': '', 'ä b+c%': '3' });
    symlinkSync('a-b', join(workspace, 'z'));
    const names: string[] = [];
    for (let cursor: string | undefined, turn = 0; turn < 20; turn++) {
      const page = await files.list({
        path: workspace,
        depth: 9,
        limit: 2,
        ...(cursor === undefined ? {} : { cursor }),
      });
      names.push(
        ...page.entries.map(
          ({ path, type, size, linkTarget }) => `${path.slice(workspace.length + 1)} ${type} ${size} ${linkTarget}`,
        ),
      );
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    expect(names).toEqual([
      'a directory 0 undefined',
      'a-b file 2 undefined',
      'a/c file 1 undefined',
      'a/d directory 0 undefined',
      'a/d/e file 0 undefined',
      'z symlink 0 a-b',
      'ä b+c% file 1 undefined',
    ]);
    const found = await files.list({ path: workspace, depth: 9, limit: 10, glob: '**/e' });
    expect(found.entries.map(({ path }) => path)).toEqual([join(workspace, 'a/d/e')]);
  });

  it('goes on behind a name that is no text', async () => {
    const raw = Buffer.concat([Buffer.from(`${workspace}/`), Buffer.from([0xff, 0xfe])]);
    writeFileSync(raw, 'x');
    writeFileSync(Buffer.concat([raw, Buffer.from('2')]), 'y');
    const first = await files.list({ path: workspace, depth: 1, limit: 1 });
    expect(first.entries[0]?.path).toBe(`${workspace}/\ufffd\ufffd`);
    const second = await files.list({ path: workspace, depth: 1, limit: 1, cursor: first.nextCursor ?? '' });
    expect(second.entries[0]?.path).toBe(`${workspace}/\ufffd\ufffd2`);
    expect(second.nextCursor).toBeUndefined();
  });

  it('gives 3,000 long names in pages that the channel carries', async () => {
    plant(workspace, Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`${'n'.repeat(240)}${at}`, ''])));
    let count = 0;
    for (let cursor: string | undefined, turn = 0; turn < 20; turn++) {
      const page = await files.list({
        path: workspace,
        depth: 1,
        limit: 10_000,
        ...(cursor === undefined ? {} : { cursor }),
      });
      count += page.entries.length;
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    expect(count).toBe(3000);
  });
});

describe('slices', () => {
  it('are parts of a file by bytes and by lines', async () => {
    const path = join(workspace, 'some file & more');
    writeFileSync(path, 'one\ntwo\nthree\n', { mode: 0o640 });
    expect(await files.read({ path, length: 3, offset: 4 })).toEqual({
      bytes: Buffer.from('two'),
      size: 14,
      mode: 0o640,
      offset: 4,
      firstLine: undefined,
      isCut: true,
    });
    expect(await files.read({ path, length: 100, startLine: 2, endLine: 3 })).toMatchObject({
      bytes: Buffer.from('two\nthree\n'),
      offset: 4,
      firstLine: 2,
      isCut: false,
    });
    expect((await files.read({ path: '/proc/self/status', length: 100_000 })).bytes.toString('utf8')).toContain(
      'Name:',
    );
  });

  it('carry any bytes, far into a long file', async () => {
    const path = join(workspace, 'long');
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7919) % 251));
    writeFileSync(path, bytes);
    const slice = await files.read({ path, length: 1_500_000, offset: 1_000_001 });
    expect(slice.bytes.equals(bytes.subarray(1_000_001, 2_500_001))).toBe(true);
  });

  it.each([
    ['/no/such/file', 'file_missing'],
    ['/', 'is_a_directory'],
    ['/dev/null', 'not_a_file'],
    ['/etc/passwd/x', 'not_a_directory'],
  ])('refuse %s with %s', async (path, code) => {
    await expect(files.read({ path, length: 10 })).rejects.toMatchObject({ code });
  });
});

describe('writing', () => {
  it('makes, keeps modes, appends, replaces', async () => {
    const path = join(workspace, 'new folder', 'ü');
    expect(await files.write({ path }, Buffer.from('first'))).toEqual({ size: 5, mode: 0o644, wasCreated: true });
    chmodSync(path, 0o750);
    expect(await files.write({ path, isAppend: true }, Buffer.from(' more first'))).toEqual({
      size: 16,
      mode: 0o750,
      wasCreated: false,
    });
    const edit = { oldText: 'first', newText: '2nd' };
    await expect(files.replace({ path, edits: [{ ...edit, expectedCount: 1 }] })).rejects.toMatchObject({
      code: 'replacement_mismatch',
    });
    const wrong = [
      { ...edit, expectedCount: 2 },
      { ...edit, expectedCount: undefined },
    ];
    await expect(files.replace({ path, edits: wrong })).rejects.toThrow(/edits\[1\]: has the text 0 times/);
    expect(readFileSync(path, 'utf8')).toBe('first more first');
    expect(await files.replace({ path, edits: [{ ...edit, expectedCount: undefined }] })).toEqual({
      size: 12,
      replacedCount: 2,
    });
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['2nd more 2nd', 0o750]);
    expect(await files.write({ path, mode: 0o600 }, Buffer.alloc(0))).toMatchObject({ size: 0, mode: 0o600 });
  });

  it('carries 20 MB, and tells why it refused as much', async () => {
    const bytes = Buffer.alloc(20_000_000, 'pyro');
    const path = join(workspace, 'big');
    expect(await files.write({ path }, bytes)).toMatchObject({ size: bytes.length });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    await expect(files.write({ path: workspace }, bytes)).rejects.toMatchObject({ code: 'is_a_directory' });
  });
});

it('what only a guest can do is refused by a plain process', async () => {
  const refused = { code: 'guest_refused', details: { guest_code: 'no_machine' } };
  await expect(agent.client.mountProject()).rejects.toMatchObject(refused);
  await expect(agent.client.freeze()).rejects.toMatchObject(refused);
  await expect(agent.client.thaw()).rejects.toMatchObject(refused);
  await expect(agent.client.grow()).rejects.toMatchObject(refused);
});
