// Snapshots, resets, stops and deaths in any order: what is in the guest is what a model of it says, and no layer is left over.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readRecord, workspaceFiles } from '../../../../src/engine/workspace/workspace-record.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { writeLayer } from '../../../support/stand-in-layers.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const stepCount = 20;
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

function filesOf(id: string) {
  return workspaceFiles(join(engine.paths.state, 'workspaces', id));
}

/** Layers of the folder; the record names each of them, and no other. */
async function layersOf(id: string): Promise<string[]> {
  const layers = readdirSync(filesOf(id).folder).filter((name) => /^disk-.*\.qcow2$/.test(name));
  const record = await readRecord(filesOf(id));
  expect(Object.keys(record?.layers ?? {}).sort()).toEqual(layers.sort());
  return layers;
}

async function kill(id: string): Promise<void> {
  const own = () =>
    engine
      .engine()
      .activity()
      .guests.find((guest) => guest.workspace_id === id);
  killNow(own()?.pid);
  await until(() => own() === undefined);
}

async function create(): Promise<string> {
  return (await engine.workspaces().create(createRequest, call())).workspace_id;
}

/** Numbers that look random and are the same in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state >>> 8;
  }
}

test.each([3, 11])('twenty steps in the order of the seed %i lose nothing and leave nothing', async (seed) => {
  const id = await create();
  const random = numbers(seed);
  const pick = (count: number): number => random.next().value % count;
  let content = '';
  const saved = new Map<string, string>([['baseline', '']]);
  const names = () => [...saved.keys()].filter((name) => name !== 'baseline');
  for (let step = 0; step < stepCount; step++) {
    const kind = pick(6);
    if (kind <= 1) {
      content = `${content}${step},`;
      await exec(engine, id, `printf %s '${content}' > f`);
    } else if (kind === 2 && saved.size < 6) {
      saved.set(`s${step}`, content);
      await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: `s${step}` }, call());
    } else if (kind === 3 && names().length > 0) {
      const name = names()[pick(names().length)] ?? '';
      saved.delete(name);
      await engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: name }, call());
    } else if (kind === 4) {
      const name = [...saved.keys()][pick(saved.size)] ?? '';
      content = saved.get(name) ?? '';
      await engine.workspaces().reset({ workspace_id: id, snapshot: name }, call());
    } else if (pick(2) === 0) await engine.workspaces().stop({ workspace_id: id }, call());
    else await engine.reopen();
    const { state } = await engine.workspaces().status({ workspace_id: id }, call());
    if (state === 'stopped') await engine.workspaces().start({ workspace_id: id }, call());
    expect((await exec(engine, id, 'cat f 2> /dev/null')).stdout, `step ${step}`).toBe(content);
    // One for each state that can be gone back to, one that is written, and one that waits for a stop to be merged.
    expect((await layersOf(id)).length).toBeLessThanOrEqual(2 * saved.size + 2);
  }
  const list = await engine.workspaces().snapshotList({ workspace_id: id }, call());
  expect(list.snapshots.map((each) => each.snapshot_name)).toEqual([...saved.keys()]);
});

test('a chain of layers is made short while the guest is off', async () => {
  const id = await create();
  const name = (index: number): string => `s${index}`;
  for (let index = 0; index < 6; index++) {
    await exec(engine, id, `echo ${index} >> f`);
    await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: name(index) }, call());
  }
  for (const index of [0, 1, 3, 4])
    await engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: name(index) }, call());
  expect(await layersOf(id)).toHaveLength(7);
  await kill(id);
  expect((await exec(engine, id, 'cat f')).stdout).toBe('0\n1\n2\n3\n4\n5\n');
  // That of a snapshot keeps its name, so that each of the two lies on one that carries nothing else.
  expect(await layersOf(id)).toHaveLength(5);
  await engine.workspaces().reset({ workspace_id: id, snapshot: name(2) }, call());
  expect((await exec(engine, id, 'cat f')).stdout).toBe('0\n1\n2\n');
});

test('a snapshot of a stopped workspace needs no guest, and names are taken once', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  await engine.workspaces().stop({ workspace_id: id }, call());
  const take = (snapshot_name: string) =>
    engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name }, call());
  expect(await take('one')).toMatchObject({ snapshot: { snapshot_name: 'one', kind: 'named', deletable: true } });
  for (const taken of ['one', 'baseline']) await expect(take(taken)).rejects.toMatchObject({ code: 'snapshot_exists' });
  const drop = (snapshot_name: string) =>
    engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name }, call());
  await expect(drop('baseline')).rejects.toMatchObject({ code: 'usage' });
  await expect(drop('none')).rejects.toMatchObject({
    code: 'snapshot_unknown',
    details: { snapshots: ['baseline', 'one'] },
  });
  await expect(engine.workspaces().reset({ workspace_id: id, snapshot: 'none' }, call())).rejects.toMatchObject({
    code: 'snapshot_unknown',
  });
  const twice = await Promise.allSettled([take('two'), take('two')]);
  expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await layersOf(id);
  // A reset starts it, also after an explicit stop.
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'one' }, call());
  expect((await exec(engine, id, 'cat f')).stdout).toBe('x\n');
});

test('there are at most 64 snapshots, and the next one is there once another has gone', async () => {
  const id = await create();
  await engine.workspaces().stop({ workspace_id: id }, call());
  const take = (index: number) =>
    engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: `s${index}` }, call());
  for (let index = 0; index < 64; index++) await take(index);
  await expect(take(64)).rejects.toMatchObject({ code: 'snapshot_limit' });
  await engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: 's5' }, call());
  await take(64);
  expect((await engine.workspaces().snapshotList({ workspace_id: id }, call())).count).toBe(65);
});

test('what a daemon that was killed has left of a snapshot is taken over or goes', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  await engine.workspaces().stop({ workspace_id: id }, call());
  const { folder } = filesOf(id);
  const top = (await readRecord(filesOf(id)))?.disk ?? '';
  // The layer that a snapshot was about to write into, one that lies on nothing, and memory of a guest that was booting.
  await writeLayer(join(folder, 'disk-00000000000a.qcow2'), { below: top, content: null });
  writeFileSync(join(folder, 'disk-00000000000b.qcow2'), 'no layer');
  await engine.reopen();
  await until(() => !existsSync(join(folder, 'disk-00000000000b.qcow2')));
  await engine.workspaces().start({ workspace_id: id }, call());
  expect((await exec(engine, id, 'cat f')).stdout).toBe('x\n');
  await layersOf(id);
});

test('a reset that fails changes nothing, and leaves no layer', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'one' }, call());
  await exec(engine, id, 'echo y > f');
  const before = await layersOf(id);
  for (const [failing, snapshot] of [
    ['startFresh', 'baseline'],
    ['startOnDisk', 'one'],
  ] as const) {
    engine.standIn.failures.set(failing, new Error('no guest today'));
    const reset = engine.workspaces().reset({ workspace_id: id, snapshot }, call());
    await expect(reset).rejects.toThrow('no guest today');
    engine.standIn.failures.clear();
    expect(await layersOf(id)).toEqual(before);
    expect(await exec(engine, id, 'cat f')).toMatchObject({ stdout: 'y\n', restarted: false });
  }
});
