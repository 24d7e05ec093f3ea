// Which new files the rules of a project leave out of its diff: the same that Git itself leaves out in a checkout.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GuestFiles } from '../../../src/agent/file-types.ts';
import { collectDiff, type DiffRequest } from '../../../src/changes/diff.ts';
import {
  FakeGuestFiles,
  type FakeNode,
  type FakeTree,
  file,
  link,
  put,
  treeOf,
} from '../../support/fake-guest-files.ts';
import { git, writeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
const repository = { '.git/HEAD': file('ref: refs/heads/main\n') };
let work: string;

folderForEach('ignored-', (folder) => {
  work = folder;
});

async function diffOf(
  before: Readonly<Record<string, FakeNode>>,
  after: Readonly<Record<string, FakeNode>>,
  request: Partial<DiffRequest> = {},
) {
  const seed = treeOf({ ...repository, ...before });
  const now: FakeTree = new Map(seed);
  for (const [name, node] of Object.entries(after)) put(now, Buffer.from(name).toString('latin1'), node);
  const collect = async (longestPlain: number) => {
    const files = new FakeGuestFiles(seed, now);
    await using diff = await collectDiff(files, { workFolder: work, longestPlain, ...request }, context);
    const patch = diff.patch === undefined ? '' : readFileSync(diff.patch.file, 'utf8');
    return { paths: diff.entries.map(({ path }) => path), ignored: diff.ignored, patch };
  };
  const plain = await collect(1000);
  // A list whose ignored folders are counted by the guest, as long ones are, comes to the same.
  expect(await collect(0)).toEqual(plain);
  return plain;
}

/** New paths that Git shows in a checkout with these files; the seed is committed, ignored parts of it too. */
function shownByGit(before: Readonly<Record<string, FakeNode>>, after: Readonly<Record<string, FakeNode>>): string[] {
  const folder = join(work, 'checkout');
  writeTree(folder, treeOf(before));
  git(folder, 'init', '-q');
  git(folder, 'add', '-A', '-f');
  git(folder, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'seed', '--allow-empty');
  writeTree(folder, treeOf({ ...before, ...after }));
  const { stdout } = git(folder, 'status', '--porcelain', '-z', '-uall');
  return stdout
    .toString()
    .split('\0')
    .filter(Boolean)
    .map((line) => line.slice(3))
    .sort();
}

const x = file('x\n');
const rules = file('*.pyc\n!keep.pyc\nbuild/\n/node_modules\n.env\n*.log\n!important.log\ndocs/**/tmp\n');

describe('new files that are ignored', () => {
  it.each<[string, Record<string, FakeNode>, Record<string, FakeNode>]>([
    [
      'by name, anchored, as folders, taken back in',
      { '.gitignore': rules },
      {
        'a.pyc': x,
        'sub/a.pyc': x,
        'keep.pyc': x,
        'sub/keep.pyc': x,
        'build/out.o': x,
        'sub/build/x': x,
        'node_modules/p/index.js': x,
        'sub/node_modules/p': x,
        '.env': x,
        'sub/.env': x,
        'docs/a/b/tmp': x,
        'docs/tmp': x,
        'new.txt': x,
        'important.log': x,
      },
    ],
    [
      'by rules of a folder that take precedence',
      { '.gitignore': rules, 'sub/.gitignore': file('!*.pyc\nlocal*\n') },
      {
        'sub/a.pyc': x,
        'sub/deep/b.pyc': x,
        'sub/local.txt': x,
        'local.txt': x,
        'sub/deep/local/q': x,
      },
    ],
    [
      'by rules that came with them',
      { a: x },
      { '.gitignore': file('out\n'), 'out/a': x, 'b/.gitignore': file('c\n'), 'b/c': x, 'b/d': x },
    ],
    ['by a folder that leaves itself out', { a: x }, { '.cache/.gitignore': file('*\n'), '.cache/v/data': x, b: x }],
    ['but for the rules themselves', { a: x }, { 'kept/.gitignore': file('*\n!.gitignore\n'), 'kept/data': x }],
    [
      'in a folder that is ignored with its rules',
      { '.gitignore': rules },
      { 'node_modules/p/.gitignore': file('!*\n'), 'node_modules/p/a': x },
    ],
    [
      'under odd names',
      { '.gitignore': file('*.o\n\\#x\nsp ace/\n') },
      {
        ':(top)a.o': x,
        ':b': x,
        '#x': x,
        'sp ace/q': x,
        'ü/ä.o': x,
        '*': x,
        '[a].o': x,
        '-n.o': x,
        '"q".o': x,
        'nl\n.o': x,
        'nl\nx': x,
      },
    ],
    [
      'below folders that are not left out themselves',
      { '.gitignore': file('nm/*\n!nm/keep\n!nm/in\n/deep/*/*\n!/deep/*/k\nwhole/\n!whole/keep\n') },
      {
        'nm/a': x,
        'nm/keep': x,
        'nm/sub/b': x,
        'nm/in/c': x,
        'deep/d/e': x,
        'deep/d/k': x,
        'deep/d/f/g': x,
        'whole/keep': x,
        'sub/whole/keep': x,
      },
    ],
    [
      'in folders whose rules end in the middle of a line',
      { '.gitignore': file('out') },
      { 'n/.gitignore': file('*\n!*/\n!k'), 'n/a': x, 'n/k': x, 'n/m/k': x, 'n/m/b': x, 'n/m/out/k': x },
    ],
    ['as links', { '.gitignore': file('l*\n') }, { lib: link('/usr/lib'), link: link('lib'), other: link('lib') }],
  ])('%s are those that Git ignores', async (_name, before, after) => {
    const { paths, ignored } = await diffOf(before, after);
    const shown = shownByGit(before, after);
    expect(paths.toSorted()).toEqual(shown);
    expect(ignored.files).toBe(Object.keys(after).length - shown.length);
  });

  it('are left out of the patch, counted with their bytes, and brought when they are asked for', async () => {
    const after = { 'out/a': file('12345'), 'out/b': file('123'), new: x };
    const diff = await diffOf({ '.gitignore': file('out\n') }, after);
    expect(diff.ignored).toEqual({ files: 2, bytes: 8 });
    expect(diff.patch).not.toContain('out/');
    const all = await diffOf({ '.gitignore': file('out\n') }, after, { hasIgnored: true });
    expect(all).toMatchObject({ paths: ['new', 'out/a', 'out/b'], ignored: { files: 0, bytes: 0 } });
  });

  it('are never those that the seed had', async () => {
    const before = { '.gitignore': file('out\n*.log\n'), 'out/seeded': x, 'a.log': x };
    const diff = await diffOf(before, { 'out/seeded': file('changed\n'), 'a.log': file('changed\n'), 'out/new': x });
    expect(diff).toMatchObject({ paths: ['a.log', 'out/seeded'], ignored: { files: 1 } });
  });

  it('are not named where a whole new folder is left out', async () => {
    const seed = treeOf({ ...repository, '.gitignore': file('node_modules\n'), 'src/a': x });
    const now = new Map(seed);
    for (const name of ['src/b', 'src/node_modules/c', 'node_modules/d/e', 'node_modules/d/f']) put(now, name, x);
    const files = new FakeGuestFiles(seed, now);
    const told: string[] = [];
    const watched: GuestFiles = {
      list: (request) => files.list(request),
      read: (request) => files.read(request),
      write: (request, content) => files.write(request, content),
      replace: () => files.replace(),
      pack: (request) => files.pack(request),
      unpack: (request, tar) => files.unpack(request, tar),
      compare: () => files.compare(),
      async *changes(request) {
        for await (const change of files.changes(request)) {
          if (request.folded !== undefined || request.hasContent) told.push(change.path.toString());
          yield change;
        }
      },
    };
    const request = { workFolder: work, longestPlain: 0, isStatOnly: true };
    await using diff = await collectDiff(watched, request, context);
    expect(diff.ignored).toEqual({ files: 3, bytes: 6 });
    expect(told.filter((path) => path.includes('node_modules/'))).toEqual([]);
    expect(told).toContain('src/node_modules');
  });

  it('are counted below the path that was asked for', async () => {
    const after = { 'out/a': x, 'b/out/c': x, 'b/d': x };
    const diff = await diffOf({ '.gitignore': file('out\n') }, after, { path: 'b' });
    expect(diff).toMatchObject({ paths: ['b/d'], ignored: { files: 1 } });
  });

  it('follow .git/info/exclude of the guest, and no rules where the guest has no repository', async () => {
    const excluded = await diffOf({ '.git/info/exclude': file('*.tmp\n') }, { 'a.tmp': x, b: x });
    expect(excluded).toMatchObject({ paths: ['b'], ignored: { files: 1 } });
    const seed = treeOf({ '.gitignore': file('*.tmp\n') });
    const now = new Map(seed);
    put(now, 'a.tmp', x);
    await using diff = await collectDiff(new FakeGuestFiles(seed, now), { workFolder: work }, context);
    expect(diff.entries.map(({ path }) => path)).toEqual(['a.tmp']);
  });
});

describe('large files', () => {
  it('are named with their size, stand in no patch, and leave the others alone', async () => {
    const seed = treeOf({
      'a.txt': file('1\n'),
      grown: file('s'),
      gone: file(Buffer.alloc(200_000)),
      both: file(Buffer.alloc(200_000)),
    });
    const now = treeOf({
      'a.txt': file('2\n'),
      grown: file(Buffer.alloc(100_001)),
      big: file(Buffer.alloc(300_000)),
      both: file(Buffer.alloc(200_000, 1)),
    });
    const request = { workFolder: work, maxFileBytes: 100_000 };
    await using diff = await collectDiff(new FakeGuestFiles(seed, now), request, context);
    expect(diff.entries.map(({ path, status, left_out_bytes: bytes }) => [path, status, bytes])).toEqual([
      ['a.txt', 'modified', null],
      ['big', 'added', 300_000],
      ['both', 'modified', 200_000],
      ['gone', 'deleted', 200_000],
      ['grown', 'modified', 100_001],
    ]);
    const patch = readFileSync(diff.patch?.file ?? '', 'utf8');
    expect(patch.match(/^diff --git .*/gm)).toEqual(['diff --git a/a.txt b/a.txt']);
    expect(diff.whyLeftOut(300_000)).toBe('larger than the limit of 97.7 KiB for one file');
  });

  it('are said to be over what really limits', async () => {
    const tree = treeOf({ 'a.txt': file('1\n') });
    const files = new FakeGuestFiles(tree, tree);
    await using patch = await collectDiff(files, { workFolder: work }, context);
    await using list = await collectDiff(files, { workFolder: work, isStatOnly: true }, context);
    expect(patch.whyLeftOut(3 * 1024 ** 3)).toBe('larger than the 768 MiB that a patch can carry for one file');
    expect(list.whyLeftOut(3 * 1024 ** 3)).toBe('lines are counted in files of up to 1.0 MiB');
    expect(list.whyLeftOut(1000)).toBe('lines are counted in 128 MiB of files, the smallest first');
  });
});
