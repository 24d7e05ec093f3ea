// What the diff of a workspace says, on its own and against hostile trees.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectDiff, type DiffRequest } from '../../../src/changes/diff.ts';
import { countLines } from '../../../src/changes/diff-types.ts';
import {
  FakeGuestFiles,
  type FakeNode,
  type FakeTree,
  file,
  folder,
  link,
  pipe,
  put,
  treeOf,
} from '../../support/fake-guest-files.ts';
import { describeFolder, describeTree, git, writeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
let work: string;

folderForEach('diff-', (folder) => {
  work = folder;
});

async function diffOf(before: FakeTree, after: FakeTree, request: Partial<DiffRequest> = {}) {
  const diff = await collectDiff(new FakeGuestFiles(before, after), { workFolder: work, ...request }, context);
  const patch = diff.patch === undefined ? undefined : readFileSync(diff.patch.file);
  await diff[Symbol.asyncDispose]();
  return { ...diff, patch: patch?.toString('utf8') ?? '', bytes: patch };
}

/** The seed after `git apply` of the patch. */
function applied(before: FakeTree, patch: string): string[] {
  const seed = join(work, 'seed');
  writeTree(seed, before);
  writeFileSync(join(work, 'p'), patch);
  const result = git(seed, 'apply', '--binary', join(work, 'p'));
  expect(result.stderr).not.toContain('error');
  return describeFolder(seed);
}

const lines = (count: number): string => Array.from({ length: count }, (_, index) => `line ${index}\n`).join('');

describe('collectDiff', () => {
  it('says that nothing changed, with an empty patch', async () => {
    const tree = treeOf({ 'a.txt': file('a\n') });
    const diff = await diffOf(tree, new Map(tree));
    expect(diff).toMatchObject({ changed: false, entries: [], patch: '' });
    expect(diff.summary.total).toBe(0);
  });

  it('reports each kind of change with its lines and modes', async () => {
    const before = treeOf({
      'changed.txt': file('one\ntwo\n'),
      'gone.txt': file('bye\n'),
      'old/name.txt': file(lines(20)),
      'run.sh': file('#!/bin/sh\n'),
      swap: file('was a file\n'),
    });
    const after = treeOf({
      'changed.txt': file('one\n2\nthree\n'),
      'new.bin': file(Buffer.from([0, 1, 2])),
      'new/name.txt': file(`${lines(20)}more\n`),
      'run.sh': file('#!/bin/sh\n', 0o755),
      swap: link('changed.txt'),
    });
    const diff = await diffOf(before, after);
    const common = { artifact_type: 'file', old_path: null, is_binary: false, left_out_bytes: null };
    expect(diff.entries).toEqual([
      {
        ...common,
        path: 'changed.txt',
        status: 'modified',
        old_mode: '100644',
        new_mode: '100644',
        additions: 2,
        deletions: 1,
      },
      {
        ...common,
        path: 'gone.txt',
        status: 'deleted',
        old_mode: '100644',
        new_mode: null,
        additions: 0,
        deletions: 1,
      },
      {
        ...common,
        path: 'new.bin',
        status: 'added',
        old_mode: null,
        new_mode: '100644',
        additions: null,
        deletions: null,
        is_binary: true,
      },
      {
        ...common,
        path: 'new/name.txt',
        status: 'renamed',
        old_path: 'old/name.txt',
        old_mode: '100644',
        new_mode: '100644',
        additions: 1,
        deletions: 0,
      },
      {
        ...common,
        path: 'run.sh',
        status: 'mode_changed',
        old_mode: '100644',
        new_mode: '100755',
        additions: 0,
        deletions: 0,
      },
      {
        ...common,
        path: 'swap',
        status: 'type_changed',
        artifact_type: 'symlink',
        old_mode: '100644',
        new_mode: '120000',
        additions: 1,
        deletions: 1,
      },
    ]);
    expect(diff.summary).toEqual({
      total: 6,
      added: 1,
      modified: 1,
      deleted: 1,
      renamed: 1,
      type_changed: 1,
      mode_changed: 1,
      text_patched: 5,
      non_text: 1,
    });
    expect(applied(before, diff.patch)).toEqual(describeTree(after));
  });

  it.each<[string, FakeNode, FakeNode]>([
    ['a file that is no UTF-8', file(Buffer.from('caf\xe9\n', 'latin1')), file(Buffer.from('th\xe9\n', 'latin1'))],
    ['a zero byte behind the part that Git looks at', file(`${lines(2000)}\0a\n`), file(`${lines(2000)}\0b\n`)],
    ['a link whose target is no UTF-8', link(Buffer.from('\xfe', 'latin1')), link(Buffer.from('\xff', 'latin1'))],
    ['a last character that is cut off', file('a\n'), file(Buffer.from([0x61, 0x0a, 0xc3]))],
  ])('carries %s as a binary patch in UTF-8', async (_, old, next) => {
    const key = 'q"uo\\te *[x]?\n#ü';
    const [before, after] = [treeOf({ [key]: old, other: file('x\n') }), treeOf({ [key]: next, other: file('y\n') })];
    const diff = await diffOf(before, after);
    expect(Buffer.from(diff.patch).equals(diff.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(diff.patch).toContain('GIT binary patch');
    expect(diff.patch).not.toContain('\0');
    expect(diff.patch).toContain('-x\n+y\n');
    expect(diff.entries.map((entry) => entry.is_binary)).toContain(true);
    expect(applied(before, diff.patch)).toEqual(describeTree(after));
  });

  it('marks a path that is too long for an attributes file binary all the same', async () => {
    const name = Array.from({ length: 12 }, () => 'ü'.repeat(100)).join('/');
    const diff = await diffOf(treeOf({}), treeOf({ [name]: file(Buffer.from('\xff text\n', 'latin1')) }));
    expect(diff.patch).toContain('GIT binary patch');
    expect(Buffer.from(diff.patch).equals(diff.bytes ?? Buffer.alloc(0))).toBe(true);
  });

  it('is not swayed by attributes or configuration of the guest', async () => {
    const attributes = file(
      '* -diff -text binary\n*.txt diff=evil eol=crlf filter=evil ident working-tree-encoding=UTF-16\n',
    );
    const before = treeOf({ '.gitattributes': attributes, 'a.txt': file('$Id$\nx\n') });
    const after = treeOf({
      '.gitattributes': file(`${attributes.content}# more\n`),
      'a.txt': file('$Id$\ny\n'),
      '.gitconfig': file('[core]\n\tfsmonitor = touch /tmp/pwned\n'),
    });
    const diff = await diffOf(before, after);
    expect(diff.patch).toContain(' $Id$\n-x\n+y\n');
    expect(diff.patch).toContain('+# more\n');
    expect(diff.summary).toMatchObject({ text_patched: 3, non_text: 0 });
  });

  it('is not swayed by configuration and variables of the user', async () => {
    writeFileSync(
      join(work, '.gitconfig'),
      '[diff]\n\tnoprefix = true\n\texternal = /bin/false\n[color]\n\tui = always\n',
    );
    const set = {
      HOME: work,
      GIT_DIR: '/nowhere',
      GIT_EXTERNAL_DIFF: '/bin/false',
      GIT_CONFIG_GLOBAL: join(work, '.gitconfig'),
    };
    const saved = Object.keys(set).map((name) => [name, process.env[name]] as const);
    Object.assign(process.env, set);
    try {
      const diff = await diffOf(treeOf({ a: file('1\n') }), treeOf({ a: file('2\n') }));
      expect(diff.patch).toMatch(/^diff --git a\/a b\/a\n/);
    } finally {
      for (const [name, value] of saved) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it('reports what Git cannot hold beside a patch that applies', async () => {
    const before = treeOf({ 'a.txt': file('a\n'), 'becomes-pipe': file('x\n') });
    const after = treeOf({
      'a.txt': file('b\n'),
      'becomes-pipe': pipe,
      fifo: pipe,
      empty: folder,
      'git~1/config': file('x\n'),
    });
    put(after, 'sub/.GIT/config', file('[core]\n'));
    put(after, '.gitmodules', link('a.txt'));
    const diff = await diffOf(before, after);
    expect(diff.entries.map(({ path, status, artifact_type }) => [path, status, artifact_type])).toEqual([
      ['a.txt', 'modified', 'file'],
      ['becomes-pipe', 'type_changed', 'other'],
      ['fifo', 'added', 'other'],
    ]);
    expect(diff.summary).toMatchObject({ total: 3, type_changed: 1, text_patched: 1, non_text: 2 });
    expect(diff.omitted.map(({ path }) => path).sort()).toEqual(['.gitmodules', 'git~1/config', 'sub/.GIT/config']);
    expect(applied(before, diff.patch)).toEqual(describeTree(treeOf({ 'a.txt': file('b\n') })));
  });

  it('tells of permissions that Git does not keep', async () => {
    const diff = await diffOf(treeOf({ key: file('k\n') }), treeOf({ key: file('k\n', 0o600) }));
    expect(diff.entries).toMatchObject([{ status: 'mode_changed', old_mode: '100644', new_mode: '100600' }]);
    expect(diff).toMatchObject({ changed: true, patch: '', summary: { text_patched: 0, non_text: 1 } });
  });

  it.each([
    ['/workspace/src', ['src/a', 'src/deep/b']],
    ['src/a', ['src/a']],
    ['./src/deep/', ['src/deep/b']],
    ['/workspace', ['src/a', 'src/deep/b', 'srcs']],
  ])('holds itself to the path %s', async (path, expected) => {
    const after = treeOf({ 'src/a': file('1\n'), 'src/deep/b': file('2\n'), srcs: file('3\n') });
    const diff = await diffOf(treeOf({}), after, { path });
    expect(diff.entries.map((entry) => entry.path)).toEqual(expected);
  });

  it.each(['/etc', '../etc', '/workspace/../etc', '/workspaces'])('refuses the path %s', async (path) => {
    await expect(diffOf(treeOf({}), treeOf({}), { path })).rejects.toMatchObject({ code: 'usage' });
  });

  it('refuses more content than allowed and names the largest file', async () => {
    const after = treeOf({ small: file('x'), 'big.bin': file(Buffer.alloc(5000)) });
    await expect(diffOf(treeOf({}), after, { maxContentBytes: 4000 })).rejects.toMatchObject({
      code: 'diff_too_large',
      message: expect.stringContaining('big.bin'),
    });
    expect(readdirSync(work)).toEqual([]);
  });

  it('refuses a guest that sends another length than it announced', async () => {
    const guest = new FakeGuestFiles(treeOf({}), treeOf({ a: file('x\n') }));
    const honest = guest.changes.bind(guest);
    guest.changes = async function* (request) {
      for await (const change of honest(request)) yield { ...change, after: { type: 'file', mode: 0o644, size: 5 } };
    };
    await expect(collectDiff(guest, { workFolder: work }, context)).rejects.toMatchObject({ code: 'guest_protocol' });
    expect(readdirSync(work)).toEqual([]);
  });

  it('leaves nothing in its folder once disposed or cancelled', async () => {
    const guest = new FakeGuestFiles(treeOf({}), treeOf({ a: file('x\n') }));
    await diffOf(guest.baseline, guest.current);
    await expect(collectDiff(guest, { workFolder: work }, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(readdirSync(work)).toEqual([]);
  });
});

it('counts lines of a list, and large files without reading them into Git', async () => {
  const large = Buffer.alloc(17 * 1024 * 1024, 'x\n');
  const before = treeOf({ a: file('1\n2\n'), large: file(large), touched: file(large) });
  const after = treeOf({
    a: file('1\n3\n4\n'),
    large: file(Buffer.concat([large, Buffer.from('y')])),
    touched: file(large, 0o755),
  });
  const request = { workFolder: work, isStatOnly: true };
  await using diff = await collectDiff(new FakeGuestFiles(before, after), request, context);
  expect(countLines(diff.entries)).toEqual({ additions: 2, deletions: 1 });
  expect(diff.entries.map(({ path, status, additions }) => [path, status, additions])).toEqual([
    ['a', 'modified', 2],
    ['large', 'modified', null],
    ['touched', 'mode_changed', null],
  ]);
});
