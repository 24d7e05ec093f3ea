// Work on its way home: applied to the checkout it came from, and never thrown away before that unless it is told.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { git } from '../support/host-tree.ts';

let engine: TestEngine;
let checkout = '';
const prune = { all: false, force: false, dry_run: false } as const;
const apply = { include_ignored: false, check: false, '3way': false };

beforeAll(async () => {
  engine = await openTestEngine();
  checkout = mkdtempSync(join(tmpdir(), 'pyro-home-'));
  git(checkout, 'init', '-q');
  writeFileSync(join(checkout, 'a.txt'), 'one\ntwo\n');
  writeFileSync(join(checkout, '.gitignore'), '*.log\n');
  git(checkout, 'add', '-A');
  git(checkout, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'seed');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(checkout, { recursive: true, force: true });
});

it('stays until it was brought home, and goes then', async () => {
  const workspaces = engine.workspaces();
  const { workspace_id: id } = await workspaces.create({ ...createRequest, seed_path: checkout }, call());
  await exec(engine, id, 'sed -i s/two/TWO/ a.txt; echo new > b.txt; echo noise > c.log');
  await workspaces.stop({ workspace_id: id }, call());
  const kept = [{ workspace_id: id, name: null, is_known: true, files: 2, additions: 2, deletions: 1 }];
  expect(await workspaces.prune({ ...prune, dry_run: true }, call())).toMatchObject({ deleted: [], kept });
  expect(await workspaces.prune(prune, call())).toMatchObject({ deleted: [], kept, freed_bytes: 0 });

  await workspaces.start({ workspace_id: id }, call());
  const applied = await workspaces.apply({ ...apply, workspace_id: id }, call());
  expect(applied).toMatchObject({ changed_count: 2, additions: 2, deletions: 1, ignored: { files: 1 } });
  expect(readFileSync(join(checkout, 'a.txt'), 'utf8')).toBe('one\nTWO\n');
  expect(await workspaces.apply({ ...apply, workspace_id: id }, call())).toMatchObject({
    changed_count: 0,
    already_count: 2,
  });
  // What is done afterwards is not home.
  await exec(engine, id, 'echo more >> b.txt');
  await workspaces.stop({ workspace_id: id }, call());
  expect((await workspaces.prune(prune, call())).kept).toHaveLength(1);
  await workspaces.start({ workspace_id: id }, call());
  await workspaces.apply({ ...apply, workspace_id: id }, call());
  await workspaces.stop({ workspace_id: id }, call());
  expect((await workspaces.prune({ ...prune, dry_run: true }, call())).kept).toEqual([]);
  // Nor is what is taken back, until that is brought home too.
  await workspaces.start({ workspace_id: id }, call());
  await exec(engine, id, 'git checkout -q a.txt; rm b.txt');
  await workspaces.stop({ workspace_id: id }, call());
  expect((await workspaces.prune(prune, call())).kept).toMatchObject([{ files: 2 }]);
  await workspaces.start({ workspace_id: id }, call());
  expect(await workspaces.apply({ ...apply, workspace_id: id }, call())).toMatchObject({
    changed_count: 2,
    left_out: [],
  });
  expect(readFileSync(join(checkout, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
  expect(existsSync(join(checkout, 'b.txt'))).toBe(false);
  await workspaces.stop({ workspace_id: id }, call());
  expect(await workspaces.prune(prune, call())).toMatchObject({ deleted: [id], kept: [] });
});

it('is told when it goes with the workspace', async () => {
  const workspaces = engine.workspaces();
  const { workspace_id: id } = await workspaces.create({ ...createRequest, seed_path: checkout }, call());
  await exec(engine, id, 'echo kept > kept.txt; echo noise > kept.log');
  expect(await workspaces.apply({ ...apply, workspace_id: id, include_ignored: true }, call())).toMatchObject({
    changed_count: 2,
  });
  // A reset ends the work in the guest, not what was brought home of it.
  await workspaces.reset({ workspace_id: id, snapshot: 'baseline' }, call());
  expect(await workspaces.apply({ ...apply, workspace_id: id }, call())).toMatchObject({
    changed_count: 0,
    left_out: [],
  });
  expect(readFileSync(join(checkout, 'kept.txt'), 'utf8')).toBe('kept\n');
  await exec(engine, id, 'git init -q sub; echo lost > sub/lost.txt');
  const repository = { path: 'sub/.git', reason: expect.stringContaining('plain files') };
  const { left_out: leftOut, markdown } = await workspaces.summary({ workspace_id: id, format: 'json' }, call());
  expect(leftOut).toEqual([repository]);
  expect(markdown).toContain('`sub/.git`');
  const check = await workspaces.apply({ ...apply, workspace_id: id, check: true }, call());
  expect(check).toMatchObject({ changed_count: 1, left_out: [repository] });
  expect(await workspaces.delete({ workspace_id: id, force: true, dry_run: false }, call())).toMatchObject({
    not_brought_home: { files: 1, additions: 1, deletions: 0 },
  });
});
