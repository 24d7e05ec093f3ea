// Clones that have not fetched everything, and who commits: nothing is fetched, what is missing is counted.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { describeTree, expectSameAnswers, git, gitEnvironment, Scratch } from '../../support/project.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

function put(folder: string, name: string, content: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

/** Three commits over two folders, a merge in the middle, and leave to clone parts of it. */
function origin(): string {
  const folder = scratch.repository('-b', 'main');
  git(folder, 'config', 'uploadpack.allowFilter', 'true');
  put(folder, 'big/c.txt', 'c\n');
  for (const round of [0, 1, 2]) {
    put(folder, 'src/a.txt', `a${round}\n`.repeat(40));
    put(folder, 'docs/b.txt', `b${round}\n`.repeat(40));
    git(folder, 'add', '-A');
    git(folder, 'commit', '-q', '-m', `c${round}`);
    if (round !== 0) continue;
    git(folder, 'checkout', '-q', '-b', 'side');
    put(folder, 'side.txt', 's\n');
    git(folder, 'add', '-A');
    git(folder, 'commit', '-q', '-m', 'side');
    git(folder, 'checkout', '-q', 'main');
    git(folder, 'merge', '-q', '--no-ff', '-m', 'merge', 'side');
  }
  return folder;
}

function clone(from: string, ...args: string[]): string {
  const folder = scratch.folder();
  git(folder, 'clone', '-q', ...args, `file://${from}`, '.');
  return folder;
}

function objectsOf(folder: string): string {
  return readdirSync(join(folder, '.git/objects'), { recursive: true, encoding: 'utf8' }).sort().join('\n');
}

const subjects = (folder: string): string => git(folder, 'log', '--format=%s').toString();

describe('a partial clone', () => {
  it.each(['blob:none', 'tree:0'])('with %s goes in with the history as far as it is here', async (filter) => {
    const folder = clone(origin(), `--filter=${filter}`);
    put(folder, 'src/a.txt', 'mine\n');
    const before = objectsOf(folder);
    const { tree, image } = await scratch.unpacked(folder);
    expect(objectsOf(folder)).toBe(before);
    expect(git(tree, 'status', '--porcelain', '--branch').toString()).toBe('## main...origin/main\n M src/a.txt\n');
    expect(git(tree, 'diff', '--stat').toString()).toContain('1 file changed');
    expect(subjects(tree)).toBe('c2\n');
    expect(image.summary.left_out.commits).toBe(4);
    expect(git(tree, 'fsck', '--no-dangling', '--no-progress').toString()).toBe('');
    git(tree, 'commit', '-q', '-a', '-m', 'theirs');
    expect(describeTree(tree)).toEqual(describeTree(folder));
  });

  it('has the commits made since, and more of them after a fetch', async () => {
    const folder = clone(origin(), '--filter=blob:none');
    for (const name of ['mine', 'more']) {
      put(folder, 'src/a.txt', `${name}\n`);
      git(folder, 'commit', '-q', '-a', '-m', name);
    }
    const first = await scratch.unpacked(folder);
    expect(subjects(first.tree)).toBe('more\nmine\nc2\n');
    expect(git(first.tree, 'status', '--branch', '--porcelain').toString()).toContain('[ahead 2]');
    expect(first.image.summary.left_out).toMatchObject({ commits: 4, upstreams: 0 });
    git(folder, 'log', '--all', '-p');
    const second = await scratch.unpacked(folder);
    expect(subjects(second.tree)).toBe(subjects(folder));
    expect(second.image.summary.left_out.commits).toBe(0);
    expectSameAnswers(folder, second.tree);
  });

  it('lets the upstream stay behind when that was fetched in part', async () => {
    const from = origin();
    const folder = clone(from, '--filter=blob:none');
    put(from, 'src/a.txt', 'later\n');
    git(from, 'commit', '-q', '-a', '-m', 'later');
    git(folder, 'fetch', '-q');
    const { tree, image } = await scratch.unpacked(folder);
    expect(subjects(tree)).toBe('c2\n');
    expect(image.summary.left_out).toMatchObject({ commits: 4, upstreams: 1 });
  });

  it('that is sparse too lacks files of HEAD, and can be committed to all the same', async () => {
    const folder = clone(origin(), '--filter=blob:none', '--sparse');
    git(folder, 'sparse-checkout', 'set', '--cone', 'src');
    put(folder, 'src/a.txt', 'mine\n');
    put(folder, 'src/new.txt', 'new\n');
    const before = objectsOf(folder);
    const { tree, image } = await scratch.unpacked(folder);
    expect(objectsOf(folder)).toBe(before);
    expect(readdirSync(tree).sort()).toEqual(['.git', 'side.txt', 'src']);
    expect(git(tree, 'status', '--porcelain').toString()).toBe(' M src/a.txt\n?? src/new.txt\n');
    expect(subjects(tree)).toBe('c2\n');
    expect(image.summary.left_out.commits).toBe(4);
    git(tree, 'add', '-A');
    git(tree, 'commit', '-q', '-m', 'theirs');
    git(tree, 'fsck', '--no-dangling', '--no-progress');
    expect(git(tree, 'status', '--porcelain').toString()).toBe('');
  });

  it('of which nothing is checked out goes in as it stands', async () => {
    const folder = clone(origin(), '--filter=blob:none', '--no-checkout');
    git(folder, 'reset', '-q');
    const { tree } = await scratch.unpacked(folder);
    expect(git(tree, 'status', '--porcelain').toString()).toBe(git(folder, 'status', '--porcelain').toString());
  });
});

describe('a repository that is broken', () => {
  it('is refused with what git says, without its advice', async () => {
    const folder = origin();
    // What another test has made an image of is not read again.
    put(folder, 'only-here.txt', 'broken\n');
    git(folder, 'add', '-A');
    git(folder, 'commit', '-q', '-m', 'only here');
    const blob = git(folder, 'rev-parse', 'HEAD:src/a.txt').toString().trim();
    rmSync(join(folder, '.git/objects', blob.slice(0, 2), blob.slice(2)), { force: true });
    writeFileSync(join(folder, '.git/info/grafts'), '');
    const error: unknown = await scratch.prepare(folder).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'seed_unsupported', message: expect.stringContaining(blob) });
    expect(String(error)).not.toMatch(/hint:|warning:|graft/);
  });
});

describe('replaced and grafted commits', () => {
  it('stay behind: the guest has the history as it was written', async () => {
    const folder = origin();
    const [head = '', , third = ''] = git(folder, 'rev-list', 'HEAD').toString().split('\n');
    git(folder, 'replace', head, third);
    writeFileSync(join(folder, '.git/info/grafts'), `${third}\n`);
    const { tree } = await scratch.unpacked(folder);
    const plain = { ...gitEnvironment, GIT_NO_REPLACE_OBJECTS: '1', GIT_GRAFT_FILE: '/nonexistent' };
    const log = (at: string) => execFileSync('git', ['log', '--format=%H'], { cwd: at, env: plain }).toString();
    expect(log(tree)).toBe(log(folder));
    expect(existsSync(join(tree, '.git/refs/replace'))).toBe(false);
    expect(git(tree, 'status', '--porcelain').toString()).toBe('');
  });
});

describe('who commits', () => {
  /** Git of its own, with no identity but what the image brings. */
  function commitIn(tree: string): string {
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' };
    const run = (...args: string[]) => spawnSync('git', args, { cwd: tree, env, encoding: 'utf8' });
    expect(run('commit', '-q', '--allow-empty', '-m', 'x').stderr).toBe('');
    return run('log', '-1', '--format=%an <%ae> %cn <%ce>').stdout.trim();
  }
  const ada = 'Ada "Ö" Example <ada@example.com>';

  it('is whom git names in the checkout: there, for the user, or by a condition', async () => {
    const folder = origin();
    git(folder, 'config', 'user.name', 'Ada "Ö" Example');
    git(folder, 'config', 'user.email', 'ada@example.com');
    expect(commitIn((await scratch.unpacked(folder)).tree)).toBe(`${ada} ${ada}`);
    const other = origin();
    const home = scratch.folder();
    writeFileSync(
      join(home, '.gitconfig'),
      `[user]\n\tname = Home\n\temail = home@example.com\n[includeIf "gitdir:${other}/"]\n\tpath = work.inc\n`,
    );
    writeFileSync(join(home, 'work.inc'), '[user]\n\temail = work@example.com\n');
    vi.stubEnv('HOME', home);
    vi.stubEnv('XDG_CONFIG_HOME', '');
    try {
      expect(commitIn((await scratch.unpacked(other)).tree)).toBe('Home <work@example.com> Home <work@example.com>');
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('is nobody in particular where git names nobody', async () => {
    const folder = origin();
    vi.stubEnv('HOME', '/nonexistent');
    vi.stubEnv('XDG_CONFIG_HOME', '');
    vi.stubEnv('GIT_CONFIG_NOSYSTEM', '1');
    try {
      const { tree } = await scratch.unpacked(folder);
      expect(commitIn(tree)).toBe('pyro <pyro@localhost> pyro <pyro@localhost>');
      expect(readFileSync(join(tree, '.git/config'), 'utf8')).toContain('name = "pyro"');
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
