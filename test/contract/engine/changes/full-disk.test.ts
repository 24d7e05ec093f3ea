// A disk of the host that fills up during a diff against a snapshot: told as that, with nothing left behind and nothing ended.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { DiffOutput } from '../../../../src/contract/changes.ts';
import { diffInput } from '../../../../src/contract/changes.ts';
import { PyroError } from '../../../../src/shared/errors.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let id = '';
let folder = '';
let scratch = '';

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  id = (await engine.workspaces().create(createRequest, call())).workspace_id;
  folder = join(engine.paths.state, 'workspaces', id);
  scratch = join(folder, 'scratch');
  await exec(engine, id, 'head -c 6M /dev/urandom > then');
  await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'one' }, call());
  await exec(engine, id, 'echo x > now; head -c 6M /dev/urandom > large');
});
afterEach(() => {
  spawnSync('umount', ['--lazy', scratch]);
  if (engine !== undefined) engine.standIn.pause = undefined;
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function diff(): Promise<DiffOutput> {
  const request = { workspace_id: id, base: 'one', max_bytes: 1000, max_file_bytes: 0 };
  return await engine.workspaces().diff(diffInput.parse(request), call());
}

/** Names of the layers of its disk; the helper has one more. */
const layers = (): string[] => readdirSync(folder).filter((each) => /^disk-.*\.qcow2$/.test(each));

test.for([
  ['the snapshot', 4],
  ['the present', 9],
] as const)('no room for what was changed of %s', { timeout: 60_000 }, async ([_what, mebibytes], { skip }) => {
  mkdirSync(scratch, { recursive: true });
  const isSmall = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', scratch]).status === 0;
  if (!isSmall) skip('only root can make a small file system to fill');
  const before = layers();
  await expect(diff()).rejects.toMatchObject({
    code: 'disk_full',
    message: expect.stringContaining(scratch),
    hint: expect.stringContaining('free some space'),
  });
  expect(readdirSync(scratch)).toEqual([]);
  expect(layers()).toEqual(before);
  expect(await exec(engine, id, 'cat now')).toMatchObject({ stdout: 'x\n', exit_code: 0 });
});

test('a helper guest that is paused for want of room keeps nobody waiting', { timeout: 60_000 }, async () => {
  const before = layers();
  engine.standIn.pause = new PyroError('disk_full', 'the guest is paused');
  await expect(diff()).rejects.toThrow(engine.standIn.pause);
  expect(layers()).toEqual(before);
  expect(engine.engine().activity().runningGuests).toBe(1);
  expect(await exec(engine, id, 'cat now')).toMatchObject({ stdout: 'x\n', exit_code: 0 });
});

test('the diff comes once there is room', { timeout: 60_000 }, async () => {
  const { summary, entries } = await diff();
  expect(summary).toMatchObject({ total: 2, added: 2 });
  expect(entries.map(({ path }) => path)).toEqual(['large', 'now']);
});
