// Clearing up: what was not brought home stays unless it is meant to go, and who cancels keeps what is not gone yet.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { deleteInput, pruneInput } from '../../../../src/contract/workspaces.ts';
import { cancelEverywhere, cancelled } from '../../../support/cancelling.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
afterEach(async () => {
  if (obstacle === undefined) await prune({ all: true, force: true });
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function create(name: string): Promise<string> {
  return (await engine.workspaces().create({ ...createRequest, name }, call())).workspace_id;
}

async function stop(id: string): Promise<void> {
  await engine.workspaces().stop({ workspace_id: id }, call());
}

async function prune(request: Partial<ReturnType<typeof pruneInput.parse>> = {}) {
  return await engine.workspaces().prune({ ...pruneInput.parse({}), ...request }, call());
}

/** Folders of workspaces, whole or half gone. */
function folders(): string[] {
  return readdirSync(join(engine.paths.state, 'workspaces')).sort();
}

test('a prune deletes what is stopped and holds nothing, keeps what holds work, and says which is which', async () => {
  const empty = await create('empty');
  const worked = await create('worked');
  const running = await create('running');
  await exec(engine, worked, 'printf "a\\nb\\n" > f');
  await stop(empty);
  await stop(worked);
  const kept = [{ workspace_id: worked, name: 'worked', is_known: true, files: 1, additions: 2, deletions: 0 }];
  const told = await prune({ dry_run: true });
  expect(told).toMatchObject({ deleted: [empty], kept, dry_run: true });
  expect(told.freed_bytes).toBeGreaterThan(0);
  expect(folders()).toEqual([empty, worked, running].sort());
  expect(await prune()).toMatchObject({ deleted: [empty], kept, dry_run: false });
  expect(folders()).toEqual([worked, running].sort());
  // One that runs is asked what it holds.
  expect(await prune({ all: true })).toMatchObject({ deleted: [running], kept });
  expect(await prune({ force: true })).toMatchObject({ deleted: [worked], kept: [] });
  expect(folders()).toEqual([]);
  expect(engine.standIn.alive.size).toBe(0);
});

test('a prune of many tells how far it is', async () => {
  const ids: string[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) ids.push(await create(name));
  for (const id of ids.slice(0, 2)) await exec(engine, id, 'echo x > f');
  const messages: string[] = [];
  const request = { ...pruneInput.parse({}), all: true };
  const told = await engine.workspaces().prune(request, call({ onProgress: ({ message }) => messages.push(message) }));
  expect(told.deleted).toEqual(ids.slice(2));
  expect(told.kept.map(({ workspace_id }) => workspace_id)).toEqual(ids.slice(0, 2));
  expect(messages).toEqual(ids.map((_, at) => `looking at ${at + 1} of 6 workspaces`));
  expect(folders()).toEqual(ids.slice(0, 2).sort());
});

test('a delete says what went with it, and a dry run only what would', async () => {
  const id = await create('one');
  await exec(engine, id, 'echo x > f');
  const told = { workspace_id: id, not_brought_home: { files: 1, additions: 1, deletions: 0 } };
  const request = deleteInput.parse({ workspace_id: 'one' });
  expect(await engine.workspaces().delete({ ...request, dry_run: true }, call())).toEqual({
    ...told,
    deleted: false,
    reason: 'dry_run',
  });
  expect((await exec(engine, id, 'cat f')).stdout).toBe('x\n');
  expect(await engine.workspaces().delete(request, call())).toEqual({
    ...told,
    deleted: true,
    reason: 'explicit_delete',
  });
  expect(folders()).toEqual([]);
  await expect(engine.workspaces().delete(request, call())).rejects.toMatchObject({ code: 'workspace_unknown' });
});

test('of two deletes of one at once the second finds nothing, and both ends are whole', async () => {
  const id = await create('one');
  const request = deleteInput.parse({ workspace_id: id });
  const both = await Promise.allSettled([
    engine.workspaces().delete(request, call()),
    engine.workspaces().delete(request, call()),
  ]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(both.find((each) => each.status === 'rejected')?.reason).toMatchObject({ code: 'workspace_unknown' });
  expect(folders()).toEqual([]);
  expect(engine.standIn.alive.size).toBe(0);
});

test('two prunes at once delete each workspace once', async () => {
  const ids = await Promise.all([create('a'), create('b'), create('c')]);
  const both = await Promise.all([prune({ all: true, force: true }), prune({ all: true, force: true })]);
  expect(both.flatMap(({ deleted }) => deleted).sort()).toEqual([...ids].sort());
  expect(folders()).toEqual([]);
});

test('a delete that is cancelled has deleted nothing', async () => {
  let id = '';
  const { cancelledCount } = await cancelEverywhere(
    async (context) => {
      if (id === '') id = await create('one');
      await exec(engine, id, 'echo x > f');
      await engine.workspaces().delete(deleteInput.parse({ workspace_id: id }), context);
    },
    async (outcome) => {
      expect(folders()).toEqual(outcome === 'cancelled' ? [id] : []);
      if (outcome === 'cancelled') expect((await exec(engine, id, 'cat f')).stdout).toBe('x\n');
      else id = '';
    },
  );
  expect(cancelledCount).toBeGreaterThan(0);
});

test.each([false, true])('a prune that is cancelled deletes no more, forced: %s', async (force) => {
  await Promise.all(['a', 'b', 'c'].map(async (name) => await stop(await create(name))));
  const cancelling = new AbortController();
  const context = call();
  Object.defineProperty(context, 'signal', {
    get: () => {
      if (folders().length < 3) cancelling.abort(cancelled);
      return cancelling.signal;
    },
  });
  const pruning = engine.workspaces().prune(pruneInput.parse({ force }), context);
  await expect(pruning).rejects.toMatchObject({ code: 'cancelled' });
  expect(folders()).toHaveLength(2);
  expect((await prune()).deleted).toHaveLength(2);
});

test('a workspace whose record is damaged is listed, kept by a prune, and deleted by name only', async () => {
  const id = await create('one');
  await stop(id);
  const folder = join(engine.paths.state, 'workspaces', id);
  writeFileSync(join(folder, 'workspace.json'), '{"version":1,');
  await engine.reopen();
  expect((await engine.workspaces().list({ limit: 50 })).workspaces).toMatchObject([
    { workspace_id: id, state: 'damaged', name: null },
  ]);
  const failure = { code: 'workspace_damaged' };
  await expect(exec(engine, id, 'true')).rejects.toMatchObject(failure);
  await expect(engine.workspaces().start({ workspace_id: id }, call())).rejects.toMatchObject(failure);
  expect(await prune({ all: true })).toMatchObject({
    deleted: [],
    kept: [{ workspace_id: id, name: null, is_known: false, files: 0 }],
  });
  // What stands in the way of the removal leaves it there to be deleted.
  mkdirSync(join(`${folder}.deleted`, 'full'), { recursive: true });
  const request = deleteInput.parse({ workspace_id: id.slice(0, 6) });
  await expect(engine.workspaces().delete(request, call())).rejects.toThrow('ENOTEMPTY');
  await engine.reopen();
  expect(await engine.workspaces().delete(request, call())).toMatchObject({ deleted: true, not_brought_home: null });
  expect(folders()).toEqual([]);
});
