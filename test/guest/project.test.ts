// A real, dirty checkout in a workspace: status as on the host, diffs that apply, patches, pushes, exports, resets.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DiffInput } from '../../src/contract/changes.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { dirty, gitIn, makeHairyRepository } from '../support/hairy-repository.ts';
import { killNow } from '../support/kill.ts';
import { describeTree } from '../support/random-tree.ts';

let engine: TestEngine;
let folder = '';
let repository = '';
let id = '';

const diffRequest: Omit<DiffInput, 'workspace_id'> = {
  stat_only: false,
  base: 'baseline',
  system: false,
  include_ignored: false,
  max_file_bytes: 0,
  max_bytes: 1 << 28,
  entry_limit: 1000,
};

beforeAll(async () => {
  engine = await openTestEngine();
  folder = mkdtempSync(join(tmpdir(), 'pyro-seed-'));
  repository = join(folder, 'repo');
  makeHairyRepository(repository);
  dirty(repository);
  const created = await engine.workspaces().create({ ...createRequest, seed_path: repository }, call());
  id = created.workspace_id;
  expect(created.workspace_seed).toMatchObject({ mode: 'git', branch: 'main', dirty: true, origin_kind: 'explicit' });
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const exportTo = async (name: string, path = '/workspace'): Promise<string> => {
  const outputPath = join(folder, name);
  const request = {
    path,
    output_path: outputPath,
    format: 'files',
    overwrite: true,
    include_git: false,
    include_ignored: false,
  } as const;
  await engine.workspaces().export({ ...request, workspace_id: id }, call());
  return outputPath;
};

/** The seed as it went in: without what Git ignores. */
function seedCopy(name: string): string {
  const copy = join(folder, name);
  cpSync(repository, copy, { recursive: true, verbatimSymlinks: true });
  for (const ignored of ['ignored', '.env', 'debug.log']) rmSync(join(copy, ignored), { recursive: true });
  return copy;
}

// Steps with one workspace: what is compared was changed by those before.
describe('a seeded workspace', { shuffle: false }, () => {
  it('says of its files what the host says', async () => {
    const status = ['status', '--porcelain=v2', '--branch'];
    expect((await exec(engine, id, `git ${status.join(' ')}`)).stdout).toBe(gitIn(repository, ...status));
    expect((await exec(engine, id, 'git log --format=%H')).stdout).toBe(gitIn(repository, 'log', '--format=%H'));
    expect((await exec(engine, id, 'git diff')).stdout).toBe(gitIn(repository, 'diff'));
    expect((await exec(engine, id, 'git diff --cached')).stdout).toBe(gitIn(repository, 'diff', '--cached'));
    expect(describeTree(await exportTo('fresh'))).toEqual(describeTree(seedCopy('seed-0')));
  });

  it('may be committed to at once, and so may a repository that is made there', async () => {
    const made = 'git init -q /tmp/made && cd /tmp/made && git commit -q --allow-empty -m x && git log -1 --format=%ce';
    expect(await exec(engine, id, `${made}; rm -rf /tmp/made`)).toMatchObject({
      stdout: 'pyro@localhost\n',
      stderr: '',
    });
    expect((await exec(engine, id, 'git var GIT_AUTHOR_IDENT && git var GIT_COMMITTER_IDENT')).exit_code).toBe(0);
  });

  it('has no changes at first', async () => {
    expect(await engine.workspaces().diff({ ...diffRequest, workspace_id: id }, call())).toMatchObject({
      changed: false,
      patch: '',
    });
  });

  it('gives a diff that makes its tree of the seed', async () => {
    await exec(
      engine,
      id,
      [
        'echo 4 >> src/deep/er/file.txt; rm no-newline; chmod +x crlf.txt; mv names moved; ln -sf x link',
        'rm -r src; echo now a file > src; rm tool.sh; mkdir tool.sh; echo in > tool.sh/in',
        "head -c 3000 /dev/urandom > random.bin; printf 'latin \\344\\n' > latin; echo x > 'new name'",
        'echo ignored too > debug.log; git add -A; git -c user.name=a -c user.email=b commit -qm work',
      ].join('\n'),
    );
    const { patch, entries } = await engine.workspaces().diff({ ...diffRequest, workspace_id: id }, call());
    const copy = seedCopy('seed-1');
    const applied = spawnSync('git', ['apply', '--binary', '--whitespace=nowarn'], {
      cwd: copy,
      input: patch,
      encoding: 'utf8',
    });
    expect(applied.stderr).toBe('');
    expect(describeTree(copy)).toEqual(describeTree(await exportTo('changed')));
    expect(entries.some(({ path }) => path.startsWith('.git/'))).toBe(false);
  });

  it('pages a patch exactly, and lists changes outside of /workspace', async () => {
    await exec(engine, id, 'echo x > /etc/new-file; rm /etc/issue');
    const whole = await engine.workspaces().diff({ ...diffRequest, workspace_id: id, system: true }, call());
    expect(whole.system_changes).toEqual(
      expect.arrayContaining([
        { path: '/etc/new-file', status: 'added' },
        { path: '/etc/issue', status: 'deleted' },
      ]),
    );
    let pages = '';
    let cursor: string | null | undefined;
    while (cursor !== null) {
      const page: { patch: string; next_cursor: string | null } = await engine
        .workspaces()
        .diff({ ...diffRequest, workspace_id: id, cursor, max_bytes: 2000 }, call());
      pages += page.patch;
      cursor = page.next_cursor;
    }
    expect(pages).toBe(whole.patch);
  });

  it('compares with a snapshot', async () => {
    await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'point' }, call());
    const base = { ...diffRequest, base: 'point' };
    expect((await engine.workspaces().diff({ ...base, workspace_id: id }, call())).changed).toBe(false);
    await exec(engine, id, 'echo later > later; rm latin; git checkout -q -- . 2>/dev/null; echo more >> src');
    const { entries } = await engine.workspaces().diff({ ...base, workspace_id: id }, call());
    expect(Object.fromEntries(entries.map(({ path, status }) => [path, status]))).toMatchObject({
      later: 'added',
      src: 'modified',
    });
  });

  it('takes a patch that was made on the host, or nothing of it', async () => {
    await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
    const copy = seedCopy('seed-2');
    gitIn(copy, 'add', '-A');
    writeFileSync(join(copy, 'crlf.txt'), 'a\r\nB\r\n');
    writeFileSync(join(copy, 'added'), 'no end');
    gitIn(copy, 'add', '-N', 'added');
    const patch = gitIn(copy, 'diff', '--binary', 'crlf.txt', 'added');
    expect(await engine.workspaces().patchApply({ workspace_id: id, patch }, call())).toMatchObject({
      summary: { total: 2 },
    });
    expect((await exec(engine, id, 'cat added; od -c crlf.txt | head -1')).stdout).toContain('no end');
    await expect(engine.workspaces().patchApply({ workspace_id: id, patch }, call())).rejects.toMatchObject({
      code: 'patch_failed',
    });
  });

  it('takes newer files of the host, only those that differ', async () => {
    writeFileSync(join(repository, 'no-newline'), 'newer on the host');
    const request = { source_path: repository, dest: '/workspace', delete: false, dry_run: false };
    const dry = await engine.workspaces().syncPush({ ...request, workspace_id: id, dry_run: true }, call());
    expect(dry.workspace_sync.changes.map(({ path }) => path)).toContain('no-newline');
    expect((await exec(engine, id, 'cat no-newline')).stdout).toBe('no end');
    const pushed = await engine.workspaces().syncPush({ ...request, workspace_id: id }, call());
    expect(pushed.workspace_sync.written_count).toBeLessThan(5);
    expect((await exec(engine, id, 'cat no-newline')).stdout).toBe('newer on the host');
    expect(
      (await engine.workspaces().syncPush({ ...request, workspace_id: id }, call())).workspace_sync.written_count,
    ).toBe(0);
    await exec(engine, id, 'echo extra > extra');
    await engine.workspaces().syncPush({ ...request, workspace_id: id, delete: true }, call());
    expect((await exec(engine, id, 'ls extra .git/HEAD')).stdout).toBe('.git/HEAD\n');
  });

  it('sums up what happened', async () => {
    await exec(engine, id, 'exit 3');
    const summary = await engine.workspaces().summary({ workspace_id: id, format: 'json' }, call());
    expect(summary.failed_count).toBeGreaterThan(0);
    expect(summary.markdown).toContain('| 3 |');
    expect(summary.file_count).toBeGreaterThan(0);
  });

  it('resets to an empty diff', async () => {
    await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
    expect((await engine.workspaces().diff({ ...diffRequest, workspace_id: id }, call())).changed).toBe(false);
    const status = ['status', '--porcelain=v2', '--branch'];
    expect((await exec(engine, id, `git ${status.join(' ')}`)).stdout).not.toBe('');
  });
});

describe('a reset whose guest is killed meanwhile', () => {
  it('comes to its end, and leaves nothing of the old guest', async () => {
    const before = engine.engine().activity().guests[0];
    const resetting = engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
    killNow(before?.pid);
    await resetting;
    expect((await exec(engine, id, 'echo here')).stdout).toBe('here\n');
    expect(readdirSync(engine.paths.runtime).filter((name) => name.startsWith(`w${id}-`))).toHaveLength(1);
  });
});

describe('workspaces of one project in a row', () => {
  it('each have it as it was when they were made', async () => {
    const workspaces = engine.workspaces();
    const project = join(folder, 'turns');
    mkdirSync(project);
    gitIn(project, 'init', '-q', '-b', 'main');
    const seen: string[] = [];
    for (const turn of ['first', 'first', 'second', 'first']) {
      writeFileSync(join(project, 'turn'), `${turn}\n`);
      const made = await workspaces.create({ ...createRequest, seed_path: project }, call());
      seen.push((await exec(engine, made.workspace_id, 'cat turn')).stdout);
      expect(made.workspace_seed).toMatchObject({ entry_count: 1, seed_path: project });
      await workspaces.delete({ workspace_id: made.workspace_id, force: true, dry_run: false }, call());
    }
    expect(seen).toEqual(['first\n', 'first\n', 'second\n', 'first\n']);
    rmSync(project, { recursive: true });
    await expect(workspaces.create({ ...createRequest, seed_path: project }, call())).rejects.toMatchObject({
      code: 'seed_missing',
    });
    const left = await workspaces.list({ limit: 100 });
    expect(left.workspaces.map(({ workspace_id: each }) => each)).toEqual([id]);
  });
});

describe('paths of the host', () => {
  it('are refused outside of what a server may use, also through links', async () => {
    const hostPaths = { folders: [join(folder, 'repo')] };
    symlinkSync('/etc', join(repository, 'way-out'));
    const exportRequest = {
      path: 'crlf.txt',
      format: 'files',
      overwrite: false,
      include_git: false,
      include_ignored: false,
    } as const;
    for (const outputPath of [join(folder, 'elsewhere'), join(repository, 'way-out/evil'), join(repository, '../x')]) {
      await expect(
        engine
          .workspaces()
          .export({ ...exportRequest, workspace_id: id, output_path: outputPath }, call({ hostPaths })),
      ).rejects.toMatchObject({ code: 'path_refused' });
      expect(existsSync(outputPath)).toBe(false);
    }
    for (const seedPath of ['/etc', join(repository, 'way-out')]) {
      await expect(
        engine.workspaces().create({ ...createRequest, seed_path: seedPath }, call({ hostPaths })),
      ).rejects.toMatchObject({ code: 'path_refused' });
    }
    const inside = join(repository, 'out.txt');
    await engine.workspaces().export({ ...exportRequest, workspace_id: id, output_path: inside }, call({ hostPaths }));
    expect(readFileSync(inside, 'utf8')).toBe('a\r\nb\r\n');
  });
});
