// Checkouts in every state: git says the same in the image as on the host, and every byte is the host's.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeTree, expectSameAnswers, git, Scratch } from '../../support/project.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

function commit(folder: string, message = 'change'): void {
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '--allow-empty', '-m', message);
}

function put(folder: string, name: string, content: string | Buffer): void {
  const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')]);
  const end = name.lastIndexOf('/');
  if (end > 0)
    mkdirSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name.slice(0, end), 'latin1')]), {
      recursive: true,
    });
  writeFileSync(path, content);
}

async function expectSame(folder: string): Promise<string> {
  const { tree } = await scratch.unpacked(folder);
  expectSameAnswers(folder, tree);
  expect(describeTree(tree)).toEqual(describeTree(folder));
  return tree;
}

describe('a checkout', () => {
  it('keeps dirty, staged, deleted, untracked and intended changes apart', async () => {
    const folder = scratch.repository();
    for (const name of ['kept', 'edited', 'staged', 'both', 'gone', 'removed', 'moved', 'mode', 'same-size'])
      put(folder, name, `${name}\n`);
    commit(folder);
    put(folder, 'edited', 'other\n');
    put(folder, 'staged', 'staged now\n');
    put(folder, 'both', 'first\n');
    put(folder, 'added', 'new\n');
    git(folder, 'add', 'staged', 'both', 'added');
    put(folder, 'both', 'second\n');
    rmSync(join(folder, 'gone'));
    git(folder, 'rm', '-q', 'removed');
    git(folder, 'mv', 'moved', 'new-place');
    chmodSync(join(folder, 'mode'), 0o755);
    put(folder, 'untracked/deep/file', 'u');
    put(folder, 'intended', 'later\n');
    git(folder, 'add', '-N', 'intended');
    put(folder, 'same-size', 'SAME-size\n');
    put(folder, 'intended-gone', 'x');
    git(folder, 'add', '-N', 'intended-gone');
    rmSync(join(folder, 'intended-gone'));
    const tree = await expectSame(folder);
    expect(git(tree, 'status', '--porcelain').toString()).toContain(' M same-size');
  });

  it('keeps odd names, links, modes, binary data and line ends', async () => {
    const folder = scratch.repository();
    const names = [
      'with space',
      'quo"te\'s',
      'tab\there',
      'new\nline',
      'back\\nslash',
      '-dash',
      'caf\xe9',
      '\xff\xfe',
      'ünïcödé'.normalize(),
      '*?[x]',
      ':(top)x',
      'd ir/\xe9/f',
    ];
    for (const name of names)
      put(folder, Buffer.from(name, name.includes('ü') ? 'utf8' : 'latin1').toString('latin1'), `${name}\n`);
    put(folder, 'crlf', 'a\r\nb\r\n');
    put(folder, 'no-newline', 'x');
    put(folder, 'empty', '');
    put(folder, 'binary', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)));
    put(folder, 'run.sh', '#!/bin/sh\n');
    chmodSync(join(folder, 'run.sh'), 0o755);
    put(folder, 'private', 'p');
    chmodSync(join(folder, 'private'), 0o600);
    symlinkSync('../outside', join(folder, 'up'));
    symlinkSync('/etc/passwd', join(folder, 'absolute'));
    symlinkSync('nowhere', join(folder, 'dangling'));
    symlinkSync(Buffer.from('/tmp/\xe9', 'latin1'), join(folder, 'bytes'));
    commit(folder);
    put(folder, 'untracked \xff\n', 'u');
    put(folder, 'no-newline', 'y');
    await expectSame(folder);
  });

  it('keeps the sides of a conflict', async () => {
    const folder = scratch.repository();
    put(folder, 'f', 'base\n');
    put(folder, 'd', 'base\n');
    commit(folder);
    git(folder, 'checkout', '-q', '-b', 'other');
    put(folder, 'f', 'theirs\n');
    git(folder, 'rm', '-q', 'd');
    commit(folder);
    git(folder, 'checkout', '-q', 'main');
    put(folder, 'f', 'ours\n');
    put(folder, 'd', 'changed\n');
    commit(folder);
    expect(() => git(folder, 'merge', 'other')).toThrow();
    const { image, tree } = await scratch.unpacked(folder);
    expectSameAnswers(folder, tree);
    expect(git(tree, 'ls-files', '-u').toString().split('\n').length).toBeGreaterThan(5);
    expect(image.summary.left_out.in_progress).toBe(1);
  });

  it('works without commits, detached, and with a folder in the place of a file', async () => {
    const fresh = scratch.repository();
    expect((await scratch.unpacked(fresh)).image.summary).toMatchObject({ commit: null, branch: 'main', dirty: false });
    put(fresh, 'staged', 's');
    put(fresh, 'untracked', 'u');
    git(fresh, 'add', 'staged');
    await expectSame(fresh);
    const detached = scratch.repository();
    put(detached, 'f', '1');
    put(detached, 'dir/f', '1');
    commit(detached);
    git(detached, 'checkout', '-q', '--detach');
    rmSync(join(detached, 'f'));
    put(detached, 'f/inner', 'x');
    renameSync(join(detached, 'dir'), join(detached, 'elsewhere'));
    symlinkSync('elsewhere', join(detached, 'dir'));
    await expectSame(detached);
  });

  it('has the last 50 commits and what the upstream needs, however the history runs', async () => {
    const origin = scratch.repository();
    for (let i = 0; i < 70; i++) git(origin, 'commit', '-q', '--allow-empty', '-m', `c${i}`);
    git(origin, 'checkout', '-q', '-b', 'feature', 'HEAD~60');
    put(origin, 'feature', 'x');
    commit(origin, 'old branch');
    git(origin, 'checkout', '-q', 'main');
    git(origin, 'merge', '-q', '--no-ff', '-m', 'merge', 'feature');
    const folder = scratch.folder();
    git(folder, 'clone', '-q', origin, '.');
    for (let i = 0; i < 3; i++) git(folder, 'commit', '-q', '--allow-empty', '-m', `mine ${i}`);
    git(origin, 'checkout', '-q', '-b', 'late', 'HEAD~65');
    put(origin, 'late', 'x');
    commit(origin, 'late branch');
    git(origin, 'checkout', '-q', 'main');
    git(origin, 'merge', '-q', '--no-ff', '-m', 'merge late', 'late');
    git(folder, 'fetch', '-q');
    const tree = await expectSame(folder);
    const status = git(tree, 'status', '--porcelain=v2', '--branch').toString();
    expect(status).toContain('# branch.ab +3 -2');
    const log = (at: string) => git(at, 'log', '--format=%H', '-n', '50').toString();
    expect(log(tree)).toBe(log(folder));
    expect(git(tree, 'rev-list', '--all').toString().split('\n').length).toBeLessThan(140);
  });

  it('takes shallow, sha256, split, sparse and version-4 repositories', async () => {
    const origin = scratch.repository();
    for (let i = 0; i < 4; i++) {
      put(origin, `d${i}/f`, String(i));
      put(origin, 'f', String(i));
      commit(origin);
    }
    const shallow = scratch.folder();
    git(shallow, 'clone', '-q', '--depth', '2', `file://${origin}`, '.');
    await expectSame(shallow);
    for (const [key, value] of [
      ['index.version', '4'],
      ['core.splitIndex', 'true'],
    ]) {
      const folder = scratch.folder();
      git(folder, 'clone', '-q', origin, '.');
      git(folder, 'config', key ?? '', value ?? '');
      git(folder, 'update-index', value === '4' ? '--index-version=4' : '--split-index');
      put(folder, 'd1/f', `dirty ${key}`);
      put(folder, 'd1/g', 'staged');
      git(folder, 'add', 'd1/g');
      await expectSame(folder);
    }
    const sparse = scratch.folder();
    git(sparse, 'clone', '-q', origin, '.');
    git(sparse, 'sparse-checkout', 'set', '--cone', '--sparse-index', 'd1');
    put(sparse, 'd1/f', 'dirty');
    const tree = await expectSame(sparse);
    expect(existsSync(join(tree, 'd2'))).toBe(false);
    const sha256 = scratch.repository('--object-format=sha256');
    put(sha256, 'f', 'x');
    commit(sha256);
    put(sha256, 'f', 'y');
    await expectSame(sha256);
  });

  it('obeys the same attributes, excludes and line-end settings', async () => {
    const folder = scratch.repository();
    git(folder, 'config', 'core.autocrlf', 'true');
    put(folder, '.gitattributes', '*.txt text\n*.bin -text\n');
    put(folder, 'a.txt', 'one\r\ntwo\r\n');
    put(folder, 'b.bin', 'one\r\ntwo\r\n');
    commit(folder);
    rmSync(join(folder, 'a.txt'));
    git(folder, 'checkout', 'a.txt');
    const excludes = join(folder, 'own-excludes');
    put(folder, 'own-excludes', '*.own\nown-excludes\n');
    git(folder, 'config', 'core.excludesFile', excludes);
    appendFileSync(join(folder, '.git/info/exclude'), '*.local\n');
    put(folder, '.gitignore', '*.log\n/build/\n');
    for (const name of ['x.own', 'x.local', 'x.log', 'build/out', 'seen']) put(folder, name, name);
    const { image, tree } = await scratch.unpacked(folder);
    expectSameAnswers(folder, tree);
    for (const name of ['x.own', 'x.local', 'x.log', 'build']) expect(existsSync(join(tree, name)), name).toBe(false);
    expect(readFileSync(join(tree, 'a.txt'), 'latin1')).toBe('one\r\ntwo\r\n');
    expect(image.summary.left_out.ignored).toBe(5);
    put(tree, 'later.own', 'x');
    expect(git(tree, 'status', '--porcelain').toString()).not.toContain('later.own');
  });

  it('finds clean files clean without reading them', async () => {
    const folder = scratch.repository();
    for (let i = 0; i < 300; i++) put(folder, `f${i}`, `content ${i}\n`);
    commit(folder);
    const { tree } = await scratch.unpacked(folder);
    expect(git(tree, 'status', '--porcelain').toString()).toBe('');
    const { atime, mtime } = statSync(join(tree, 'f7'));
    put(tree, 'f7', 'CONTENT 7\n');
    utimesSync(join(tree, 'f7'), atime, mtime);
    // A git that reads the file would see the change.
    expect(git(tree, 'status', '--porcelain').toString()).toBe('');
  });

  it('may have 10,000 files and one of 100 MB', async () => {
    const folder = scratch.repository();
    for (let i = 0; i < 10_000; i++) put(folder, `d${i % 100}/f${i}`, `${i}\n`);
    put(folder, 'large', Buffer.alloc(100_000_000, 'some text that repeats itself\n'));
    git(folder, '-c', 'core.compression=0', 'add', '-A');
    git(folder, 'commit', '-q', '-m', 'many');
    appendFileSync(join(folder, 'd1/f1'), 'dirty');
    await expectSame(folder);
  });
});

describe('repositories inside', () => {
  it('brings submodules with a git directory of their own, in any state', async () => {
    const inner = scratch.repository();
    put(inner, 'lib.c', 'int x;\n');
    commit(inner);
    const folder = scratch.repository();
    put(folder, 'main.c', 'x\n');
    git(folder, 'submodule', '--quiet', 'add', inner, 'deps/lib');
    git(folder, 'submodule', '--quiet', 'add', inner, 'deps/idle');
    commit(folder);
    git(folder, 'submodule', '--quiet', 'deinit', 'deps/idle');
    await expectSame(folder);
    put(folder, 'deps/lib/lib.c', 'int y;\n');
    put(folder, 'deps/lib/new.c', 'new\n');
    const tree = await expectSame(folder);
    expectSameAnswers(join(folder, 'deps/lib'), join(tree, 'deps/lib'));
    expect(git(tree, 'submodule', 'status').toString()).toContain('-');
    git(join(folder, 'deps/lib'), 'commit', '-qam', 'inner');
    await expectSame(folder);
  });

  it('makes an ordinary repository of a linked worktree, and takes one that lies in the checkout', async () => {
    const main = scratch.repository();
    put(main, 'f', '1\n');
    commit(main);
    const linked = join(scratch.folder(), 'linked');
    git(main, 'worktree', 'add', '-q', linked, '-b', 'side');
    put(linked, 'f', '2\n');
    const { image, tree } = await scratch.unpacked(linked);
    expectSameAnswers(linked, tree);
    expect(image.summary).toMatchObject({ mode: 'git', branch: 'side', dirty: true });
    git(main, 'worktree', 'add', '-q', join(main, 'trees/inside'), '-b', 'inside');
    put(main, 'trees/inside/g', 'g');
    const outer = await expectSame(main);
    expectSameAnswers(join(main, 'trees/inside'), join(outer, 'trees/inside'));
  });
});
