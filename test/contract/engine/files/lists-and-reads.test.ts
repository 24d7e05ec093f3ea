// Files of a workspace over a stand-in guest: listed, read by range, written whole, edited in place, with secrets as stars.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killNow } from '../../../support/kill.ts';
import { StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-files';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

describe.skipIf(obstacle !== undefined)('files of a workspace', () => {
  it('are listed by levels, pattern and page', async () => {
    await house.sh('mkdir -p l/a/b; touch l/x.ts l/a/y.ts l/a/b/z.ts l/a/b/z.md; ln -s a l/link; chmod 640 l/x.ts');
    const paths = async (given: Record<string, unknown>) =>
      (await house.list({ path: 'l', ...given })).entries.map(({ path }) => path.replace('/workspace/l/', ''));
    expect(await paths({})).toEqual(['a', 'link', 'x.ts']);
    expect(await paths({ depth: 2 })).toEqual(['a', 'a/b', 'a/y.ts', 'link', 'x.ts']);
    expect(await paths({ glob: '*.ts' })).toEqual(['x.ts']);
    expect(await paths({ glob: 'a/*.ts' })).toEqual(['a/y.ts']);
    expect(await paths({ glob: '**/*.ts' })).toEqual(['a/b/z.ts', 'a/y.ts', 'x.ts']);
    const { entries } = await house.list({ path: '/workspace/l' });
    expect(entries.find(({ path }) => path.endsWith('link'))).toMatchObject({
      artifact_type: 'symlink',
      link_target: 'a',
    });
    expect(entries.find(({ path }) => path.endsWith('x.ts'))).toMatchObject({ mode: '0640', size_bytes: 0 });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await house.list({ path: 'l', recursive: true, limit: 2, ...(cursor ? { cursor } : {}) });
      seen.push(...page.entries.map(({ path }) => path));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(7);
    expect(new Set(seen).size).toBe(7);
    await expect(house.list({ path: 'none' })).rejects.toMatchObject({ code: 'file_missing' });
    await expect(house.list({ path: 'a\0b' })).rejects.toMatchObject({ code: 'usage' });
  });

  it('are read by bytes or by lines, and no character is cut in two', async () => {
    await house.write('t', { text: 'one\ntwö\nthree\n' });
    expect(await house.read('t')).toMatchObject({ content: 'one\ntwö\nthree\n', encoding: 'utf-8', truncated: false });
    // The sixth and seventh byte are one character.
    expect(await house.read('t', { max_bytes: 7 })).toMatchObject({
      content: 'one\ntw',
      next_offset: 6,
      truncated: true,
    });
    expect((await house.read('t', { offset: 6 })).content).toBe('ö\nthree\n');
    expect(await house.read('t', { start_line: 2, end_line: 2 })).toMatchObject({ content: 'twö\n', first_line: 2 });
    await expect(house.read('t', { offset: 1, start_line: 1 })).rejects.toMatchObject({ code: 'usage' });
    await expect(house.read('.')).rejects.toMatchObject({ code: 'is_a_directory' });
  });

  it('that are no text come as base64, also in parts', async () => {
    const bytes = randomBytes(300_000);
    bytes[0] = 0;
    await house.write('bin', { content_base64: bytes.toString('base64'), mode: '600' });
    const parts: Buffer[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const page = await house.read('bin', { offset, max_bytes: 100_001 });
      expect(page).toMatchObject({ encoding: 'base64', mode: '0600', size_bytes: 300_000 });
      parts.push(Buffer.from(page.content, 'base64'));
      offset = page.next_offset;
    }
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  });

  it('are written whole or added to, keep their mode, and get their folders', async () => {
    expect(await house.write('deep/er/f', { text: 'a', mode: '755' })).toMatchObject({ created: true, size_bytes: 1 });
    const added = await house.write('deep/er/f', { text: 'bc', append: true });
    expect(added).toMatchObject({ created: false, bytes_written: 2, size_bytes: 3, replaced_count: null });
    await house.write('deep/er/f', { text: 'new' });
    expect(await house.sh('cat deep/er/f; stat -c %a deep/er/f')).toBe('new755\n');
    await expect(house.write('deep', { text: 'x' })).rejects.toMatchObject({ code: 'is_a_directory' });
    await expect(house.write('deep/er/f/g', { text: 'x' })).rejects.toMatchObject({ code: 'not_a_directory' });
    await expect(house.write('x', {})).rejects.toMatchObject({ code: 'usage' });
    await expect(house.write('x', { text: '', content_base64: '' })).rejects.toMatchObject({ code: 'usage' });
    await expect(house.write('x', { old_text: 'a' })).rejects.toMatchObject({ code: 'usage' });
  });

  it('are edited in place, all replacements or none', async () => {
    await house.write('e', { text: 'x = 1\ny = 1\nx = 1\n', mode: '711' });
    await expect(house.write('e', { old_text: 'x = 1', new_text: 'x = 2' })).rejects.toMatchObject({
      code: 'replacement_mismatch',
    });
    expect(await house.write('e', { old_text: 'x = 1', new_text: 'x = 2', expected_count: 2 })).toMatchObject({
      replaced_count: 2,
      created: false,
    });
    await house.write('e', { old_text: 'x', new_text: 'z', replace_all: true });
    const edits = [
      { old_text: 'y = 1', new_text: 'y = z' },
      { old_text: 'z', new_text: 'w', replace_all: true },
    ];
    await house.write('e', { edits });
    expect((await house.read('e')).content).toBe('w = 2\ny = w\nw = 2\n');
    const half = [edits[0] ?? {}, { old_text: 'not there', new_text: '' }].map((edit) => ({ ...edit, old_text: 'w' }));
    await expect(house.write('e', { edits: half })).rejects.toMatchObject({ code: 'replacement_mismatch' });
    await expect(house.write('e', { edits, append: true })).rejects.toMatchObject({ code: 'usage' });
    await expect(house.write('e', { edits, mode: '644' })).rejects.toMatchObject({ code: 'usage' });
    expect(await house.read('e')).toMatchObject({ content: 'w = 2\ny = w\nw = 2\n', mode: '0711' });
  });

  it('show stars where a secret stands: in contents, names and targets of links', async () => {
    await house.sh(`printf '%s' 'a ${value} b' > s; ln -s ${value} 'to-${value}'; head -c 1 /dev/zero > z; cat s >> z`);
    const stars = '*'.repeat(value.length);
    expect((await house.read('s')).content).toBe(`a ${stars} b`);
    expect(Buffer.from((await house.read('z')).content, 'base64').toString()).toBe(`\0a ${stars} b`);
    const { entries } = await house.list({ glob: 'to-*' });
    expect(entries).toHaveLength(1);
    expect(JSON.stringify(entries)).not.toContain(value);
  });

  it('are as they were after the guest was killed, and after another daemon took over', async () => {
    await house.write('kept', { text: 'kept' });
    await house.sh('sync');
    await house.engine.reopen();
    expect((await house.read('kept')).content).toBe('kept');
    killNow(house.engine.engine().activity().guests[0]?.pid);
    await until(() => house.engine.engine().activity().runningGuests === 0);
    expect((await house.read('kept')).content).toBe('kept');
  });

  it('of one path that many write at once have the whole content of one of them', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(100_000));
    await Promise.all(texts.map((text) => house.write('one', { text })));
    expect(texts).toContain(await house.sh('cat one'));
    expect(await house.sh('ls -A | grep -c pyro || true')).toBe('0\n');
  });
});
