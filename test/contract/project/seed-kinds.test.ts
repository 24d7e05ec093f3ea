// What else than a checkout goes in, what never does, and what is refused.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { afterAll, describe, expect, it } from 'vitest';
import { withoutCredentials } from '../../../src/project/git-config.ts';
import { describeTree, expectSameAnswers, git, Scratch } from '../../support/project.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

function put(folder: string, name: string, content: string): void {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), content);
}

function repository(files: Readonly<Record<string, string>>): string {
  const folder = scratch.repository();
  for (const [name, content] of Object.entries(files)) put(folder, name, content);
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'first');
  return folder;
}

/** Everything in a tree, `.git` too, as one text; links are not followed. */
function everything(root: string): string {
  return readdirSync(root, { withFileTypes: true })
    .map((entry) => {
      const path = join(root, entry.name);
      if (entry.isDirectory()) return `${path}\n${everything(path)}`;
      return entry.isFile() ? `${path}\n${readFileSync(path, 'latin1')}` : path;
    })
    .join('\n');
}

/** When each folder below last got or lost a name. */
function folderTimes(root: string): string[] {
  const below = readdirSync(root, { withFileTypes: true, recursive: true }).filter((entry) => entry.isDirectory());
  return [root, ...below.map(({ parentPath, name }) => join(parentPath, name))].map(
    (path) => `${path} ${statSync(path, { bigint: true }).mtimeNs}`,
  );
}

describe('a checkout', () => {
  it('has nothing written into it, not for a moment', async () => {
    const folder = repository({ f: 'left alone' });
    const before = folderTimes(folder);
    await scratch.unpacked(folder);
    expect(folderTimes(folder)).toEqual(before);
  });

  it.skipIf(statSync('/dev/shm').dev === statSync(tmpdir()).dev)(
    'may lie on another file system than the images (skipped where there is but one)',
    async () => {
      const folder = mkdtempSync('/dev/shm/pyro-"checkout":\\');
      try {
        git(folder, 'init', '-q');
        put(folder, 'f', 'on another file system');
        git(folder, 'add', '-A');
        git(folder, 'commit', '-q', '-m', 'first');
        const { tree } = await scratch.unpacked(folder);
        expect(git(tree, 'log', '--format=%s').toString()).toBe('first\n');
        expect(git(tree, 'fsck', '--full').toString()).toBe('');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});

describe('secrets of the host', () => {
  it('stay out: ignored files, credentials, hooks, and settings that run programs', async () => {
    const folder = repository({ '.gitignore': '.env\nnode_modules/\n', 'index.js': '1' });
    put(folder, '.env', 'TOKEN=env-secret');
    put(folder, 'node_modules/pkg/index.js', 'package');
    put(folder, '.git/hooks/post-checkout', 'hook-secret');
    put(folder, '.git/extra', 'stray-secret');
    git(folder, 'remote', 'add', 'origin', 'https://user:url-secret@example.com/x/y.git?token=query-secret');
    git(folder, 'remote', 'add', 'run', 'ext::sh -c program-secret');
    git(folder, 'config', 'branch.main.remote', 'origin');
    git(folder, 'config', 'branch.main.merge', 'refs/heads/main');
    git(folder, 'config', 'http.extraHeader', 'Authorization: header-secret');
    git(folder, 'config', 'alias.x', '!alias-secret');
    git(folder, 'config', 'filter.f.clean', 'filter-secret');
    git(folder, 'config', 'credential.helper', '!helper-secret');
    git(folder, 'config', 'core.fsmonitor', 'monitor-secret');
    git(folder, 'config', 'user.signingKey', 'key-secret');
    const { tree } = await scratch.unpacked(folder);
    expect(everything(tree)).not.toContain('secret');
    expect(git(tree, 'remote', 'get-url', 'origin').toString().trim()).toBe('https://example.com/x/y.git');
    expect(existsSync(join(tree, 'node_modules'))).toBe(false);
    const included = await scratch.unpacked(folder, ['node_modules', 'not-there']);
    expect(readFileSync(join(included.tree, 'node_modules/pkg/index.js'), 'utf8')).toBe('package');
    expect(existsSync(join(included.tree, '.env'))).toBe(false);
  });

  it('are not reached through what a repository names', async () => {
    const outside = scratch.folder();
    put(outside, 'key', 'outside-secret');
    const folder = repository({ f: '1', 'dir/key': 'inside' });
    git(folder, 'config', 'core.excludesFile', join(outside, 'key'));
    git(folder, 'config', 'core.attributesFile', join(outside, 'key'));
    rmSync(join(folder, '.git/info/exclude'));
    symlinkSync(join(outside, 'key'), join(folder, '.git/info/exclude'));
    rmSync(join(folder, 'dir'), { recursive: true });
    symlinkSync(outside, join(folder, 'dir'));
    const { tree } = await scratch.unpacked(folder);
    expect(everything(tree)).not.toContain('outside-secret');
    expect(readlinkSync(join(tree, 'dir'))).toBe(outside);
    git(folder, 'config', 'core.worktree', outside);
    await expect(scratch.prepare(folder)).rejects.toMatchObject({ code: 'seed_unsupported' });
  });

  it('are not run: no program of the repository starts, and nothing is written to it', async () => {
    const folder = repository({ f: '1', '.gitattributes': '* filter=evil\n' });
    const mark = join(scratch.root, 'ran');
    for (const key of [
      'core.fsmonitor',
      'filter.evil.clean',
      'filter.evil.process',
      'core.sshCommand',
      'diff.external',
    ])
      git(folder, 'config', key, `touch ${mark};cat`);
    for (const hook of ['post-index-change', 'pre-commit']) {
      put(folder, `.git/hooks/${hook}`, `#!/bin/sh\ntouch ${mark}\n`);
      chmodSync(join(folder, '.git/hooks', hook), 0o755);
    }
    writeFileSync(join(folder, 'f'), '2');
    const before = everything(join(folder, '.git'));
    await scratch.prepare(folder);
    expect(existsSync(mark)).toBe(false);
    expect(everything(join(folder, '.git'))).toBe(before);
  });

  it.each([
    ['https://token@example.com/a.git', 'https://example.com/a.git'],
    ['https://u:p@ss@example.com:8443/a', 'https://example.com:8443/a'],
    ['ssh://git:pw@example.com/a.git', 'ssh://git@example.com/a.git'],
    ['git@example.com:a/b.git', 'git@example.com:a/b.git'],
    ['/srv/git/a b.git', '/srv/git/a b.git'],
    ['u:pw@example.com:a.git', undefined],
    ['ext::sh -c x', undefined],
  ])('the address %s becomes %s', (url, expected) => {
    expect(withoutCredentials(url)).toBe(expected);
  });
});

describe('folders', () => {
  it('go in whole, without sockets, and repositories in them as repositories', async () => {
    const folder = scratch.folder();
    put(folder, 'a/b', 'b');
    mkdirSync(join(folder, 'empty'));
    chmodSync(join(folder, 'a/b'), 0o640);
    symlinkSync('/nowhere', join(folder, 'link'));
    await using socket = createServer().listen(join(folder, 'socket'));
    await once(socket, 'listening');
    git(folder, 'init', '-q', 'inner');
    put(folder, 'inner/f', 'f');
    put(folder, 'inner/.gitignore', '.env');
    put(folder, 'inner/.env', 'secret');
    put(folder, 'inner/.git/hooks/pre-commit', 'hook');
    mkdirSync(join(folder, 'broken/.git'), { recursive: true });
    put(folder, 'broken/f', 'kept');
    const { image, tree } = await scratch.unpacked(folder);
    expect(image.summary).toMatchObject({ mode: 'directory', commit: null, dirty: null });
    expect(image.summary.left_out).toMatchObject({ special: 1, git_folders: 1, ignored: 1 });
    expect(describeTree(tree)).toEqual(describeTree(folder, (path) => path === 'inner/.env'));
    expectSameAnswers(join(folder, 'inner'), join(tree, 'inner'));
    expect(existsSync(join(tree, 'inner/.git/hooks'))).toBe(false);
    expect(existsSync(join(tree, 'broken/.git'))).toBe(false);
  });

  it('inside a checkout follow its ignore rules and have no history', async () => {
    const folder = repository({ '.gitignore': '*.log\n/out\n', 'src/a.ts': 'a', 'src/b.ts': 'b', top: 't' });
    put(folder, 'src/x.log', 'log');
    put(folder, 'src/new.ts', 'n');
    rmSync(join(folder, 'src/b.ts'));
    const { image, tree } = await scratch.unpacked(join(folder, 'src'));
    expect(readdirSync(tree).sort()).toEqual(['a.ts', 'new.ts']);
    expect(image.summary).toMatchObject({ mode: 'directory', entry_count: 2, left_out: { ignored: 1 } });
    put(folder, 'out/built', 'b');
    expect(readdirSync((await scratch.unpacked(join(folder, 'out'))).tree)).toEqual(['built']);
  });

  it('that are empty make an empty image', async () => {
    const { image, tree } = await scratch.unpacked(scratch.folder());
    expect(readdirSync(tree)).toEqual([]);
    expect(image.summary.entry_count).toBe(0);
  });
});

describe('archives', () => {
  async function archive(name: string, headers: readonly (Partial<Header> & { name: string; data?: string })[]) {
    const tar = pack();
    for (const { data, ...header } of headers) tar.entry({ ...header }, data ?? '');
    tar.finalize();
    const path = join(scratch.folder(), name);
    writeFileSync(path, await buffer(Readable.from(tar)));
    return path;
  }

  it.each(['cf', 'czf', 'cJf', '--zstd -cf'])('made with tar %s go in as they are', async (flags) => {
    const folder = scratch.folder();
    put(folder, `dir/${'long'.repeat(40)}`, flags);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x0a])]), 'bytes');
    symlinkSync('../up', join(folder, 'link'));
    const path = join(scratch.folder(), 'seed.archive');
    execFileSync('tar', [...flags.split(' '), path, '-C', folder, '.']);
    const { image, tree } = await scratch.unpacked(path);
    expect(describeTree(tree)).toEqual(describeTree(folder));
    expect(image.summary).toMatchObject({ mode: 'tar_archive', commit: null });
    expect(image.summary.bytes_written).toBe(flags.length + 5);
  });

  it.each([
    ['an absolute name', [{ name: '/etc/x', data: 'x' }]],
    ['a name that leads out', [{ name: 'a/../../x', data: 'x' }]],
    ['a hard link that leads out', [{ name: 'x', type: 'link' as const, linkname: '../x' }]],
    ['a device', [{ name: 'x', type: 'character-device' as const }]],
    [
      'a file below a link',
      [
        { name: 'l', type: 'symlink' as const, linkname: '/etc' },
        { name: 'l/x', data: 'x' },
      ],
    ],
  ])('with %s are refused', async (_what, headers) => {
    await expect(scratch.prepare(await archive('bad.tar', headers))).rejects.toMatchObject({ code: 'seed_invalid' });
  });

  it('that are cut, empty or no archives are refused', async () => {
    const whole = await archive('cut.tar', [{ name: 'x', data: 'x'.repeat(5000) }]);
    truncateSync(whole, 2000);
    await expect(scratch.prepare(whole)).rejects.toMatchObject({ code: 'seed_invalid' });
    for (const content of ['', 'just some text\n'.repeat(100)]) {
      const path = join(scratch.folder(), 'seed.tar');
      writeFileSync(path, content);
      await expect(scratch.prepare(path)).rejects.toMatchObject({ code: 'seed_invalid' });
    }
    const zip = join(scratch.folder(), 'x.zip');
    writeFileSync(zip, Buffer.from('504b030400000000', 'hex'));
    await expect(scratch.prepare(zip)).rejects.toMatchObject({ code: 'seed_unsupported' });
  });
});

describe('refusals', () => {
  it('name what cannot be taken in', async () => {
    const bare = scratch.repository('--bare');
    await expect(scratch.prepare(join(scratch.root, 'nothing'))).rejects.toMatchObject({ code: 'seed_missing' });
    await expect(scratch.prepare(bare)).rejects.toMatchObject({ code: 'seed_unsupported' });
    const folder = repository({ f: '1', g: '2' });
    await expect(scratch.prepare(join(folder, '.git'))).rejects.toMatchObject({ code: 'seed_unsupported' });
    await expect(scratch.prepare(folder, ['../x'])).rejects.toMatchObject({ code: 'seed_invalid' });
    await expect(scratch.prepare(folder, ['.git'])).rejects.toMatchObject({ code: 'seed_invalid' });
  });

  it.skipIf(process.getuid?.() !== 0)('say what to do about a checkout of somebody else', async () => {
    const folder = repository({ f: '1' });
    execFileSync('chown', ['-R', '12345', folder]);
    await expect(scratch.prepare(folder)).rejects.toMatchObject({
      code: 'seed_unsupported',
      hint: expect.stringContaining(`safe.directory ${folder}`),
    });
  });

  it('say so when the project is larger than the disk, before reading it', async () => {
    const folder = scratch.folder();
    writeFileSync(join(folder, 'huge'), '');
    truncateSync(join(folder, 'huge'), 17 * 2 ** 30);
    await expect(scratch.prepare(folder)).rejects.toMatchObject({ code: 'seed_too_large' });
  });
});
