// Where the files of a new workspace come from: the call's own path, the project of the server, or nowhere; and quicker the next time.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CreateInput, createInput } from '../../../../src/contract/workspaces.ts';
import type { ProjectSource } from '../../../../src/shared/policy-types.ts';
import { cancelEverywhere } from '../../../support/cancelling.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { git } from '../../../support/project.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let folder = '';
let project: ProjectSource;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  folder = mkdtempSync(join(tmpdir(), 'pyro-seed-'));
  git(folder, 'init', '-q');
  writeFileSync(join(folder, 'tracked'), 'one\n');
  writeFileSync(join(folder, '.gitignore'), 'ignored\n');
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'first');
  writeFileSync(join(folder, 'ignored'), 'a password\n');
  project = { path: folder, originKind: 'cwd', originRef: null, includes: [], environment: 'debian:12' };
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

const test = it.skipIf(obstacle !== undefined);

async function create(fields: Partial<CreateInput> = {}, changes: Parameters<typeof call>[0] = {}) {
  return await engine.workspaces().create(createInput.parse({ ...createRequest, ...fields }), call(changes));
}

test('the project of the server goes in as it stands on the disk, without what Git ignores', async () => {
  writeFileSync(join(folder, 'untracked'), 'two\n');
  const { workspace_id: id, workspace_seed: seed } = await create({}, { project });
  expect(seed).toMatchObject({ mode: 'git', origin_kind: 'cwd', origin_ref: null, seed_path: folder, dirty: true });
  expect((await exec(engine, id, 'ls; cat tracked untracked; git log --format=%s')).stdout).toBe(
    'tracked\nuntracked\none\ntwo\nfirst\n',
  );
  // What lies on it belongs to this workspace alone.
  await exec(engine, id, 'echo changed > tracked');
  const other = await create({}, { project });
  expect((await exec(engine, other.workspace_id, 'cat tracked')).stdout).toBe('one\n');
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  expect((await exec(engine, id, 'cat tracked')).stdout).toBe('one\n');
});

test('the next one of a project that has changed meanwhile has what is there now', async () => {
  await create({}, { project });
  writeFileSync(join(folder, 'tracked'), 'changed on the host\n');
  const { workspace_id: id } = await create({}, { project });
  expect((await exec(engine, id, 'cat tracked')).stdout).toBe('changed on the host\n');
  expect(engine.standIn.alive.size).toBe(engine.engine().activity().runningGuests);
  // A guest with it is made ready for the next one, once the call is over.
  await until(() => engine.standIn.prepared.some((each) => each.startsWith('project in ')));
});

test('ignored files go in where the server says so, and a path of the call comes before its project', async () => {
  const included = await create({}, { project: { ...project, includes: ['ignored'] } });
  expect((await exec(engine, included.workspace_id, 'cat ignored')).stdout).toBe('a password\n');
  const other = mkdtempSync(join(tmpdir(), 'pyro-seed-'));
  writeFileSync(join(other, 'exclude'), '');
  const { workspace_seed: seed, workspace_id: id } = await create({ seed_path: other }, { project });
  expect(seed).toMatchObject({ origin_kind: 'explicit', origin_ref: other });
  expect((await exec(engine, id, 'ls -A')).stdout).toBe('exclude\n');
  rmSync(other, { recursive: true });
});

test('an empty one has nothing, also inside a project, and cannot have both', async () => {
  const { workspace_id: id, workspace_seed: seed } = await create({ empty: true }, { project });
  expect(seed).toMatchObject({ mode: 'empty', seed_path: null, origin_kind: 'none' });
  expect((await exec(engine, id, 'ls -A')).stdout).toBe('');
  await expect(create({ empty: true, seed_path: folder })).rejects.toMatchObject({ code: 'usage' });
});

test.each([
  ['outside of what the server permits', '/etc', 'path_refused'],
  ['relative', 'somewhere', 'usage'],
])('a path that is %s makes no workspace and no guest', async (_what, path, code) => {
  const before = engine.engine().activity().runningGuests;
  const hostPaths = { folders: [folder] };
  await expect(create({ seed_path: path }, { hostPaths })).rejects.toMatchObject({ code });
  await until(() => engine.standIn.alive.size === before);
});

test('a path that is not there makes no workspace, while its guest was being started already', async () => {
  const before = engine.engine().activity().runningGuests;
  const count = (await engine.workspaces().list({ limit: 50 })).count;
  await expect(create({ seed_path: join(folder, 'nowhere') })).rejects.toMatchObject({ name: 'PyroError' });
  await until(() => engine.standIn.alive.size === before);
  expect((await engine.workspaces().list({ limit: 50 })).count).toBe(count);
});

test('workspaces are found by the folder that they came from', async () => {
  await create({}, { project });
  const { workspaces } = await engine.workspaces().list({ limit: 50, folder: join(folder, '.git') });
  expect(workspaces.length).toBeGreaterThan(0);
  expect(new Set(workspaces.map(({ workspace_seed: seed }) => seed.seed_path))).toContain(folder);
  expect((await engine.workspaces().list({ limit: 50, folder: '/usr' })).count).toBe(0);
});

test('a create with a project that is cancelled at any moment leaves nothing', async () => {
  const before = engine.engine().activity().runningGuests;
  let turn = 0;
  const { cancelledCount } = await cancelEverywhere(
    async (context) => {
      turn += 1;
      // The guess of the next create is wrong in each second turn.
      writeFileSync(join(folder, 'tracked'), `${Math.floor(turn / 2)}\n`);
      const made = await engine.workspaces().create(createRequest, context);
      await engine.workspaces().delete({ workspace_id: made.workspace_id, force: true, dry_run: false }, call());
    },
    async () => await until(() => engine.standIn.alive.size === before),
    { project },
  );
  expect(cancelledCount).toBeGreaterThan(2);
});
