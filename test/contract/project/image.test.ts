// A project as a disk image says in the guest what it says on the host: files, status, diffs, history.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareProjectImage } from '../../../src/project/project-store.ts';
import type { ProjectImage } from '../../../src/project/project-types.ts';
import { noProgress } from '../../../src/shared/progress.ts';
import { dirty, gitFacts, gitIn, hardNames, makeHairyRepository } from '../../support/hairy-repository.ts';

let folder = '';
let repository = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-project-'));
  repository = join(folder, 'repo');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function prepare(path = repository, includes: readonly string[] = []): Promise<ProjectImage> {
  const context = { signal: new AbortController().signal, onProgress: noProgress };
  return await prepareProjectImage(join(folder, 'store'), { path, includes }, context);
}

function unpack({ path }: ProjectImage): string {
  const target = join(folder, `out-${readdirSync(folder).length}`);
  const result = spawnSync('unsquashfs', ['-q', '-n', '-d', target, path], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  return target;
}

function tree(root: string, below = ''): string[] {
  return readdirSync(join(root, below)).flatMap((name) => {
    const path = join(below, name);
    if (path === '.git') return [];
    const status = lstatSync(join(root, path));
    if (status.isDirectory()) return [`${path}/ ${status.mode & 0o777}`, ...tree(root, path)];
    if (status.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(root, path))}`];
    return [`${path} ${status.mode & 0o777} ${readFileSync(join(root, path)).toString('base64')}`];
  });
}

describe('a checkout', () => {
  it('has the same status, diffs and history, and the same files but for ignored ones', async () => {
    makeHairyRepository(repository);
    dirty(repository);
    const image = await prepare();
    const out = unpack(image);
    expect(gitFacts(out)).toEqual(gitFacts(repository));
    const expected = tree(repository).filter((line) => !/^(ignored\/|\.env |debug\.log )/.test(line));
    expect(tree(out).sort()).toEqual(expected.sort());
    expect(image.summary).toMatchObject({ mode: 'git', branch: 'main', dirty: true, left_out: { ignored: 3 } });
    for (const name of hardNames) expect(existsSync(join(out, 'names', name))).toBe(true);
    gitIn(out, 'fsck', '--connectivity-only');
  });

  it('that is followed from a remote says ahead and behind alike, without the credentials of its URL', async () => {
    const remote = join(folder, 'remote');
    makeHairyRepository(remote);
    gitIn(folder, 'clone', '-q', remote, repository);
    gitIn(repository, 'commit', '-q', '--allow-empty', '-m', 'ahead');
    gitIn(repository, 'remote', 'set-url', 'origin', 'https://me:token123@example.org/x.git');
    writeFileSync(join(repository, '.git', 'hooks', 'post-checkout'), '#!/bin/sh\ntouch /tmp/never\n', { mode: 0o755 });
    gitIn(repository, 'config', 'alias.x', '!touch /tmp/never');
    const out = unpack(await prepare());
    expect(gitFacts(out)).toEqual(gitFacts(repository));
    expect(gitFacts(out)['status']).toContain('branch.ab +1 -0');
    const config = readFileSync(join(out, '.git', 'config'), 'utf8');
    expect(config).toContain('https://example.org/x.git');
    expect(config).not.toMatch(/token123|alias/);
    expect(existsSync(join(out, '.git', 'hooks'))).toBe(false);
  });

  it('keeps the last 50 commits', async () => {
    makeHairyRepository(repository);
    for (let number = 0; number < 60; number++) gitIn(repository, 'commit', '-q', '--allow-empty', '-m', `c${number}`);
    const out = unpack(await prepare());
    expect(gitIn(out, 'rev-list', '--count', 'HEAD').trim()).toBe('50');
  });

  it('without a commit, with a detached HEAD, in a linked worktree', async () => {
    mkdirSync(repository);
    gitIn(repository, 'init', '-q', '-b', 'trunk');
    writeFileSync(join(repository, 'a'), 'a');
    gitIn(repository, 'add', 'a');
    const first = unpack(await prepare());
    expect(gitIn(first, 'status', '--porcelain=v2', '--branch')).toBe(
      gitIn(repository, 'status', '--porcelain=v2', '--branch'),
    );
    gitIn(repository, 'commit', '-q', '-m', 'one');
    gitIn(repository, 'checkout', '-q', '--detach');
    expect(gitFacts(unpack(await prepare()))).toEqual(gitFacts(repository));
    const linked = join(folder, 'linked');
    gitIn(repository, 'worktree', 'add', '-q', '-b', 'side', linked);
    writeFileSync(join(linked, 'b'), 'b');
    expect(gitFacts(unpack(await prepare(linked)))).toEqual(gitFacts(linked));
  });

  it('with conflicts under way shows them', async () => {
    makeHairyRepository(repository);
    gitIn(repository, 'checkout', '-q', '-b', 'other');
    writeFileSync(join(repository, 'no-newline'), 'theirs');
    gitIn(repository, 'commit', '-qam', 'theirs');
    gitIn(repository, 'checkout', '-q', 'main');
    writeFileSync(join(repository, 'no-newline'), 'ours');
    gitIn(repository, 'commit', '-qam', 'ours');
    expect(() => gitIn(repository, 'merge', '-q', 'other')).toThrow();
    expect(gitFacts(unpack(await prepare()))['status']).toBe(gitFacts(repository)['status']);
  });

  it('with submodules brings them along', async () => {
    const module = join(folder, 'module');
    makeHairyRepository(module);
    makeHairyRepository(repository);
    gitIn(repository, 'submodule', '--quiet', 'add', module, 'lib/module');
    gitIn(repository, 'commit', '-qm', 'module');
    writeFileSync(join(repository, 'lib/module/no-newline'), 'changed');
    const out = unpack(await prepare());
    expect(gitFacts(out)).toEqual(gitFacts(repository));
    expect(gitFacts(join(out, 'lib/module'))).toEqual(gitFacts(join(repository, 'lib/module')));
  });

  it('takes ignored paths that are asked for, and nothing outside', async () => {
    makeHairyRepository(repository);
    dirty(repository);
    const out = unpack(await prepare(repository, ['ignored']));
    expect(readFileSync(join(out, 'ignored/x'), 'utf8')).toBe('never');
    expect(existsSync(join(out, '.env'))).toBe(false);
    await expect(prepare(repository, ['../outside'])).rejects.toMatchObject({ code: 'seed_invalid' });
  });

  it('in part goes in as a folder by the rules of the whole', async () => {
    makeHairyRepository(repository);
    writeFileSync(join(repository, 'src', 'x.log'), 'never');
    const image = await prepare(join(repository, 'src'));
    const out = unpack(image);
    expect(image.summary.mode).toBe('directory');
    expect(tree(out).map((line) => line.split(' ')[0])).toEqual(['deep/', 'deep/er/', 'deep/er/file.txt']);
  });
});

describe('the key', () => {
  it('is the same while nothing changes and another after each change', async () => {
    makeHairyRepository(repository);
    const keys = [(await prepare()).key];
    expect((await prepare()).key).toBe(keys[0]);
    const changes: (() => void)[] = [
      () => writeFileSync(join(repository, 'no-newline'), 'NO end'),
      () => gitIn(repository, 'add', '-A'),
      () => gitIn(repository, 'commit', '-qm', 'next'),
      () => gitIn(repository, 'checkout', '-q', '-b', 'else'),
      () => writeFileSync(join(repository, 'fresh'), ''),
      () => rmSync(join(repository, 'fresh')),
    ];
    for (const change of changes.slice(0, 5)) {
      change();
      keys.push((await prepare()).key);
    }
    expect(new Set(keys).size).toBe(keys.length);
    changes[5]?.();
    expect((await prepare()).key).toBe(keys.at(-2));
  });

  it('leaves an image that is there alone', async () => {
    makeHairyRepository(repository);
    const { path } = await prepare();
    const { ino } = statSync(path);
    expect(statSync((await prepare()).path).ino).toBe(ino);
  });
});

describe('other seeds', () => {
  it('a plain folder goes in whole, without sockets and pipes', async () => {
    mkdirSync(join(repository, 'a/b'), { recursive: true });
    writeFileSync(join(repository, 'a/b/c'), 'x');
    writeFileSync(join(repository, '.hidden'), 'y');
    spawnSync('mkfifo', [join(repository, 'pipe')]);
    const image = await prepare();
    expect(image.summary).toMatchObject({ mode: 'directory', left_out: { special: 1 } });
    expect(tree(unpack(image)).map((line) => line.split(' ')[0])).toEqual(['.hidden', 'a/', 'a/b/', 'a/b/c']);
  });

  it('names that are no UTF-8 survive', async () => {
    mkdirSync(repository);
    const name = Buffer.from([0x66, 0xff, 0x6f]);
    writeFileSync(Buffer.concat([Buffer.from(`${repository}/`), name]), 'bytes');
    const out = unpack(await prepare());
    expect(readdirSync(out, { encoding: 'buffer' })).toEqual([name]);
  });

  it.each(['tar', 'tar.gz', 'tar.zst'])('an archive as %s', async (kind) => {
    mkdirSync(join(repository, 'd'), { recursive: true });
    writeFileSync(join(repository, 'd/f'), 'archived');
    const archive = join(folder, `seed.${kind}`);
    const packed = spawnSync('tar', ['-caf', archive, '-C', repository, '.'], { encoding: 'utf8' });
    expect(packed.stderr).toBe('');
    const image = await prepare(archive);
    expect(image.summary.mode).toBe('tar_archive');
    expect(readFileSync(join(unpack(image), 'd/f'), 'utf8')).toBe('archived');
  });

  it.each([
    ['../out', '--transform=s,^f$,../out,'],
    ['/abs', '--transform=s,^f$,/abs,'],
  ])('an archive with %s is refused whole', async (_name, transform) => {
    mkdirSync(repository);
    writeFileSync(join(repository, 'f'), 'x');
    const archive = join(folder, 'bad.tar');
    spawnSync('tar', ['-cPf', archive, transform, '-C', repository, 'f']);
    await expect(prepare(archive)).rejects.toMatchObject({ code: 'seed_invalid' });
  });

  it('nothing at the path, and what is no archive, are told', async () => {
    await expect(prepare(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'seed_missing' });
    writeFileSync(join(folder, 'text'), 'this is no archive');
    await expect(prepare(join(folder, 'text'))).rejects.toMatchObject({ code: 'seed_invalid' });
  });

  it('a project that changes all the time is given up', async () => {
    makeHairyRepository(repository);
    const stop = setInterval(() => utimesSync(join(repository, 'no-newline'), new Date(), new Date()), 1);
    try {
      await expect(prepare()).rejects.toMatchObject({ code: 'seed_changing' });
    } finally {
      clearInterval(stop);
    }
  });
});
