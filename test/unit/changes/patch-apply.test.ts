// Patches of every kind that Git and people make, into the fake guest; and patches that must not get through.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPatch } from '../../../src/changes/patch-apply.ts';
import {
  FakeGuestFiles,
  type FakeTree,
  file,
  folder,
  link,
  pipe,
  put,
  treeOf,
} from '../../support/fake-guest-files.ts';
import { describeTree, git, writeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
let work: string;

folderForEach('patch-', (folder) => {
  work = folder;
});

async function apply(guest: FakeGuestFiles, patch: string | Buffer) {
  return await applyPatch(guest, { workFolder: work, patch: Buffer.from(patch) }, context);
}

/** What a user's own Git prints for the way from one tree to the other. */
function printed(before: FakeTree, after: FakeTree, args: readonly string[]): Buffer {
  const place = mkdtempSync(join(work, 'repo-'));
  git(place, 'init', '-q');
  writeTree(place, before);
  git(place, 'add', '-A');
  git(place, 'commit', '-q', '--allow-empty', '-m', 'before');
  for (const name of readdirSync(place)) if (name !== '.git') rmSync(join(place, name), { recursive: true });
  writeTree(place, after);
  git(place, 'add', '-A');
  git(place, 'commit', '-q', '-m', 'after\n\nSome text of a mail.');
  const { stdout, stderr, status } = git(place, ...args);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const lines = (count: number, change = -1): string =>
  Array.from({ length: count }, (_, index) => (index === change ? 'changed\n' : `line ${index}\n`)).join('');

const before = treeOf({
  'src/a.txt': file(lines(40)),
  'src/gone.txt': file('bye\n'),
  'src/old name.txt': file(lines(30)),
  'run.sh': file('#!/bin/sh\n', 0o644),
  'data.bin': file(Buffer.from([0, 1, 2, 3])),
  'end.txt': file('no newline'),
  'dos.txt': file('one\r\ntwo\r\nthree\r\n'),
});
const after = treeOf({
  'src/a.txt': file(lines(40, 20)),
  'src/new.txt': file('new\n'),
  'dir/new name.txt': file(lines(30, 2)),
  'run.sh': file('#!/bin/sh\n', 0o755),
  'data.bin': file(Buffer.from([0, 1, 9, 3])),
  'end.txt': file('still no newline'),
  'dos.txt': file('one\r\n2\r\nthree\r\n'),
  link: link('src/a.txt'),
});

describe('applyPatch takes', () => {
  it.each<[string, readonly string[]]>([
    ['git diff --binary', ['diff', '--binary', 'HEAD~', 'HEAD']],
    ['renames and copies', ['diff', '--binary', '-M', '-C', '--find-copies-harder', 'HEAD~', 'HEAD']],
    ['names without prefix', ['diff', '--binary', '--no-prefix', 'HEAD~', 'HEAD']],
    ['renames without prefix', ['diff', '--binary', '-M', '--no-prefix', 'HEAD~', 'HEAD']],
    ['mnemonic prefixes', ['diff', '--binary', '--src-prefix=i/', '--dst-prefix=w/', 'HEAD~', 'HEAD']],
    ['the folders old and new', ['diff', '--binary', '--src-prefix=old/', '--dst-prefix=new/', 'HEAD~', 'HEAD']],
    ['no context', ['diff', '--binary', '-U0', 'HEAD~', 'HEAD']],
    ['git show', ['show', '--binary', 'HEAD']],
    ['git format-patch', ['format-patch', '--stdout', '--binary', '-1', 'HEAD']],
  ])('%s', async (_, args) => {
    const guest = new FakeGuestFiles(before);
    const result = await apply(guest, printed(before, after, args));
    expect(describeTree(guest.current)).toEqual(describeTree(after));
    expect(result.changed).toBe(true);
    expect(result.summary).toEqual({ total: 10, added: 3, modified: 5, deleted: 2 });
    expect(result.entries).toContainEqual({ path: '/workspace/dir/new name.txt', status: 'added' });
    expect(guest.unpacked).toHaveLength(1);
  });

  it('several mails that build on each other', async () => {
    const middle = treeOf({ ...Object.fromEntries(before), extra: file('1\n2\n3\n') });
    const last = treeOf({ ...Object.fromEntries(before), moved: file('1\n2\n4\n') });
    const mails = [
      printed(before, middle, ['format-patch', '--stdout', '-1']),
      printed(middle, last, ['format-patch', '--stdout', '-M', '-1']),
    ];
    const guest = new FakeGuestFiles(before);
    const result = await apply(guest, Buffer.concat(mails));
    expect(result.entries).toEqual([{ path: '/workspace/moved', status: 'added' }]);
    expect(describeTree(guest.current)).toEqual(describeTree(last));
  });

  it('a patch of another tool, at an offset', async () => {
    const guest = new FakeGuestFiles(treeOf({ 'a.txt': file(`new top\n${lines(20)}`) }));
    await apply(
      guest,
      '--- a/a.txt\t2024-01-01\n+++ b/a.txt\t2024-01-02\n@@ -5,3 +5,3 @@\n line 4\n-line 5\n+five\n line 6\n',
    );
    expect(guest.current.get('a.txt')?.content.toString()).toBe(`new top\n${lines(20).replace('line 5\n', 'five\n')}`);
  });

  it.each([
    ['without prefix', '--- src/x.txt\n+++ src/x.txt\n@@ -1 +1 @@\n-x\n+y\n'],
    ['with wrong counts', '--- a/src/x.txt\n+++ b/src/x.txt\n@@ -1,7 +1,9 @@\n-x\n+y\n'],
    ['without its last line end', '--- a/src/x.txt\n+++ b/src/x.txt\n@@ -1 +1 @@\n-x\n+y'],
    [
      'converted to CR LF',
      'diff --git a/src/x.txt b/src/x.txt\r\n--- a/src/x.txt\r\n+++ b/src/x.txt\r\n@@ -1 +1 @@\r\n-x\r\n+y\r\n',
    ],
  ])('a patch %s', async (_, patch) => {
    const guest = new FakeGuestFiles(treeOf({ 'src/x.txt': file('x\n'), 'x.txt': file('x\n') }));
    await apply(guest, patch);
    expect(describeTree(guest.current)).toEqual(
      describeTree(treeOf({ 'src/x.txt': file('y\n'), 'x.txt': file('x\n') })),
    );
  });

  it('a converted patch for a file that has CR LF itself', async () => {
    const guest = new FakeGuestFiles(treeOf({ x: file('a\r\nb\r\n') }));
    await apply(guest, '--- a/x\r\n+++ b/x\r\n@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+c\r\n');
    expect(guest.current.get('x')?.content.toString()).toBe('a\r\nc\r\n');
  });

  it('an insertion without context at its own line', async () => {
    const guest = new FakeGuestFiles(treeOf({ x: file('1\n2\n3\n') }));
    await apply(guest, '--- a/x\n+++ b/x\n@@ -1,0 +2 @@\n+1.5\n');
    expect(guest.current.get('x')?.content.toString()).toBe('1\n1.5\n2\n3\n');
  });

  it('names that are no UTF-8', async () => {
    const guest = new FakeGuestFiles(new Map([['\xff', file('x\n')]]));
    await apply(guest, 'diff --git "a/\\377" "b/\\377"\n--- "a/\\377"\n+++ "b/\\377"\n@@ -1 +1 @@\n-x\n+y\n');
    expect(guest.current.get('\xff')?.content.toString()).toBe('y\n');
  });

  it('an edit without touching permissions, also through a rename', async () => {
    const guest = new FakeGuestFiles(treeOf({ key: file(lines(9), 0o600), tool: file(lines(9), 0o750) }));
    const moved = treeOf({ 'new-key': file(lines(9, 3)), tool: file(lines(9, 3), 0o755) });
    const seed = treeOf({ key: file(lines(9)), tool: file(lines(9), 0o755) });
    await apply(guest, printed(seed, moved, ['diff', '-M', 'HEAD~', 'HEAD']));
    expect(guest.current.get('new-key')?.mode).toBe(0o600);
    expect(guest.current.get('tool')?.mode).toBe(0o750);
  });

  it('a folder in place of a file and a file in place of a folder', async () => {
    const [one, two] = [treeOf({ a: file('a\n'), 'b/c': file('c\n') }), treeOf({ 'a/x': file('x\n'), b: file('b\n') })];
    const guest = new FakeGuestFiles(one);
    await apply(guest, printed(one, two, ['diff', 'HEAD~', 'HEAD']));
    expect(describeTree(guest.current)).toEqual(describeTree(two));
  });
});

describe('applyPatch refuses', () => {
  async function refusal(nodes: FakeTree, patch: string): Promise<unknown> {
    const guest = new FakeGuestFiles(nodes);
    const error = await apply(guest, patch).catch((reason: unknown) => reason);
    expect(guest.unpacked).toEqual([]);
    expect(readdirSync(work)).toEqual([]);
    return error;
  }
  const create = (path: string, mode = '100644', text = 'x'): string =>
    `diff --git a/${path} b/${path}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${text}\n`;

  it('what does not fit, and shows the lines there', async () => {
    const patch = `--- a/a.txt\n+++ b/a.txt\n@@ -2,3 +2,3 @@\n line 1\n-line 2\n+two\n line 3\n@@ -20,3 +20,3 @@\n line 19\n-no such line\n+x\n line 21\n`;
    const error = await refusal(treeOf({ 'a.txt': file(lines(40)), b: file('b\n') }), `${create('new.txt')}${patch}`);
    expect(error).toMatchObject({ code: 'patch_failed', details: { path: 'a.txt', hunk: 2, line: 20 } });
    const { message, hint } = error instanceof Error && 'hint' in error ? error : { message: '', hint: '' };
    expect(message).toContain('patch failed: a.txt:20');
    expect(message).toContain('    20  line 19\n');
    expect(message.split('\n').filter((line) => /^ +\d+ {2}/.test(line))).toHaveLength(7);
    expect(hint).toContain('nothing was changed');
  });

  it.each([
    ['a missing file', treeOf({}), '--- a/m.txt\n+++ b/m.txt\n@@ -1 +1 @@\n-x\n+y\n', 'm.txt'],
    ['a new file that exists', treeOf({ n: file('other\n') }), create('n'), 'n'],
    ['a file in place of a full folder', treeOf({ 'd/keep': file('k\n') }), create('d'), 'd'],
    ['a folder in place of a file', treeOf({ f: file('f\n') }), create('f/x'), 'f/x'],
    ['what lies behind a link of the guest', treeOf({ l: link('/etc') }), create('l/passwd'), 'l/passwd'],
    ['a pipe', treeOf({ p: pipe }), create('p'), 'p'],
  ])('%s', async (_, nodes, patch, path) => {
    expect(await refusal(nodes, patch)).toMatchObject({ code: 'patch_failed', details: { path } });
  });

  it.each([
    ['LF for a file that has CRLF', 'a\r\nb\r\nc\r\n', '\n', 'the file has CRLF line endings and the patch has LF'],
    ['CRLF for a file that has LF', 'a\nb\nc\n', '\r\n', 'the patch has CRLF line endings and the file has LF'],
  ])('%s, and names the line endings', async (_, content, end, note) => {
    const body = [' a', '-b', '+x', ' c', ''].join(end);
    const patch = `--- a/dos.txt\n+++ b/dos.txt\n@@ -1,3 +1,3 @@\n${body}`;
    expect(await refusal(treeOf({ 'dos.txt': file(content) }), patch)).toMatchObject({
      code: 'patch_failed',
      message: expect.stringContaining(note),
      hint: expect.stringContaining('end the lines of the patch in'),
    });
  });

  it('a link and a file written through it, in one patch or two mails', async () => {
    const make = create('l', '120000', '/etc').replace('+/etc\n', '+/etc\n\\ No newline at end of file\n');
    const mail = (patch: string): string =>
      `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\nSubject: x\n\n${patch}-- \n2.39\n\n`;
    expect(await refusal(treeOf({}), make + create('l/passwd'))).toMatchObject({ code: 'patch_failed' });
    expect(await refusal(treeOf({}), mail(make) + mail(create('l/passwd')))).toMatchObject({ code: 'patch_failed' });
  });

  it.each([
    ['../x', create('../x')],
    ['a path that leads up later', create('a/../../x')],
    ['an absolute path', '--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-x\n+y\n'],
    ['an absolute path behind a prefix', create('/etc/x')],
    ['.git/hooks/x', create('.git/hooks/pre-commit')],
    ['.GIT in a folder', create('sub/.GIT/config')],
    [
      'a rename out of .git',
      'diff --git a/.git/config b/x\nsimilarity index 100%\nrename from .git/config\nrename to x\n',
    ],
    [
      'a submodule',
      `diff --git a/m b/m\nnew file mode 160000\n--- /dev/null\n+++ b/m\n@@ -0,0 +1 @@\n+Subproject commit ${'1'.repeat(40)}\n`,
    ],
    ['.gitmodules as a link', create('.gitmodules', '120000')],
    ['nothing', '  \n'],
    ['prose', 'Please change line 3.\n'],
    ['names with and without prefix', `${create('a')}--- b.txt\n+++ b.txt\n@@ -1 +1 @@\n-x\n+y\n`],
  ])('%s as invalid', async (_, patch) => {
    expect(await refusal(treeOf({ '.git/config': file('c\n'), 'b.txt': file('x\n') }), patch)).toMatchObject({
      code: 'patch_invalid',
    });
  });

  it('to lose a folder of the guest that is empty, but not one with files', async () => {
    const guest = new FakeGuestFiles(treeOf({ 'd/e': folder }));
    await apply(guest, create('d'));
    expect(describeTree(guest.current)).toEqual(describeTree(treeOf({ d: file('x\n') })));
  });

  it('to look at configuration of the user', async () => {
    writeFileSync(join(work, 'config'), '[apply]\n\twhitespace = error-all\n');
    const saved = process.env['GIT_CONFIG_GLOBAL'];
    process.env['GIT_CONFIG_GLOBAL'] = join(work, 'config');
    try {
      const guest = new FakeGuestFiles(treeOf({}));
      await apply(guest, create('x', '100644', 'trailing   '));
      expect(guest.current.get('x')?.content.toString()).toBe('trailing   \n');
    } finally {
      if (saved === undefined) delete process.env['GIT_CONFIG_GLOBAL'];
      else process.env['GIT_CONFIG_GLOBAL'] = saved;
    }
  });
});

describe('what the guest writes while a patch is made ready', () => {
  const seed = treeOf({ 'a.txt': file(lines(40)) });
  const patch = printedOf({ 'a.txt': file(lines(40, 20)), 'new.txt': file('new\n') });

  it('stays, and the patch goes into it', async () => {
    const guest = new FakeGuestFiles(seed);
    guest.onUnpack = () => {
      guest.onUnpack = undefined;
      put(guest.current, 'a.txt', file(`first\n${lines(40)}`));
    };
    expect((await apply(guest, patch())).summary).toMatchObject({ total: 2 });
    expect(guest.current.get('a.txt')?.content.toString()).toBe(`first\n${lines(40, 20)}`);
  });

  it.each([
    ['changes each time', 'a.txt', (turn: number) => `turn ${turn}\n${lines(40)}`],
    ['is new each time', 'new.txt', () => 'of the guest\n'],
  ])('is not written over when it %s', async (_what, name, content) => {
    const guest = new FakeGuestFiles(seed);
    let turns = 0;
    guest.onUnpack = () => put(guest.current, name, file(content(++turns)));
    await expect(apply(guest, patch())).rejects.toMatchObject({ code: 'patch_failed' });
    expect(guest.current.get(name)?.content.toString()).toBe(content(turns));
  });

  function printedOf(changed: Parameters<typeof treeOf>[0]): () => Buffer {
    return () => printed(seed, treeOf(changed), ['format-patch', '-1', '--stdout']);
  }
});
