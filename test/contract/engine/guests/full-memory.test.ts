// Memory for one guest only: what does not fit is refused with a way out, and what ends gives its memory back.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { resultBytes } from '../../../../src/contract/commands.ts';
import { runInput } from '../../../../src/contract/run.ts';
import { createInput } from '../../../../src/contract/workspaces.ts';
import type { Progress } from '../../../../src/shared/progress.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
/** Left to the host, and one guest, `MiB` */
const memoryMib = 1024 + createRequest.mem_mib;
const full = { code: 'memory_exhausted', details: { free_mib: 0, wanted_mib: createRequest.mem_mib } };
let engine: StandInEngine;

beforeEach(async () => {
  if (obstacle === undefined) engine = await openStandInEngine(memoryMib);
});
afterEach(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function create(): Promise<string> {
  return (await engine.workspaces().create(createRequest, call())).workspace_id;
}

test('of many creates at once one succeeds; the others name what could be stopped, and leave nothing', async () => {
  const all = await Promise.allSettled(Array.from({ length: 8 }, create));
  const made = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  expect(made).toHaveLength(1);
  for (const each of all) if (each.status === 'rejected') expect(each.reason).toMatchObject(full);
  await expect(create()).rejects.toMatchObject({
    ...full,
    details: { idle: made },
    hint: expect.stringContaining(`stop or delete a workspace that you do not need: ${made[0]} (1024 MiB, idle `),
  });
  expect((await engine.workspaces().list({ limit: 50 })).count).toBe(1);
  expect(engine.standIn.alive.size).toBe(1);
});

test('memory is free again after a stop, a delete, the death of a guest and a start that failed', async () => {
  const one = await create();
  await engine.workspaces().stop({ workspace_id: one }, call());
  const other = await create();
  await expect(engine.workspaces().start({ workspace_id: one }, call())).rejects.toMatchObject(full);
  await expect(engine.workspaces().status({ workspace_id: one }, call())).resolves.toMatchObject({ state: 'stopped' });
  await engine.workspaces().delete({ workspace_id: other, force: true, dry_run: false }, call());
  engine.standIn.failures.set('startOnDisk', new Error('no guest today'));
  await expect(engine.workspaces().start({ workspace_id: one }, call())).rejects.toThrow('no guest today');
  engine.standIn.failures.clear();
  await engine.workspaces().start({ workspace_id: one }, call());
  killNow(engine.engine().activity().guests[0]?.pid);
  await until(() => engine.engine().activity().runningGuests === 0);
  await create();
});

test('a guest that another daemon has started counts, and so does one that was taken over', async () => {
  await create();
  await engine.reopen();
  await expect(create()).rejects.toMatchObject(full);
  await engine.reopen();
  await expect(create()).rejects.toMatchObject(full);
});

test('a reset stops the guest first where memory does not hold two, and says so', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  const told: Progress[] = [];
  const onProgress = (progress: Progress): void => void told.push(progress);
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call({ onProgress }));
  expect(told.map(({ message }) => message)).toContain('stopping the guest: memory does not hold two of its size');
  expect((await exec(engine, id, 'ls')).stdout).toBe('');
  expect(engine.standIn.alive.size).toBe(1);
  await expect(create()).rejects.toMatchObject(full);
});

test('a reset that stopped the guest and then failed leaves it stopped with its work, to be started by the next call', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  engine.standIn.failures.set('startFresh', new Error('no guest today'));
  const reset = engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  await expect(reset).rejects.toThrow('no guest today');
  engine.standIn.failures.clear();
  expect(engine.standIn.alive.size).toBe(0);
  expect(await engine.workspaces().status({ workspace_id: id }, call())).toMatchObject({
    state: 'stopped',
    stop_reason: 'host',
    reset_count: 0,
  });
  expect(await exec(engine, id, 'cat f')).toMatchObject({ stdout: 'x\n', restarted: true });
});

test('a run of one command counts while it lasts, and no longer', async () => {
  const run = (command: string) =>
    engine
      .engine()
      .run(
        runInput.parse({ environment: 'debian:12', command: ['sh', '-c', command], mem_mib: 1024 }),
        resultBytes,
        call(),
      );
  const both = await Promise.allSettled([run('echo one'), run('echo two')]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(both.find((each) => each.status === 'rejected')?.reason).toMatchObject({
    code: 'memory_exhausted',
    hint: 'guests that are at work end by themselves; try again later',
  });
  await expect(run('exit 3')).resolves.toMatchObject({ exit_code: 3 });
  await create();
});

test('a guest that is larger than all memory is refused with what would fit', async () => {
  const request = createInput.parse({ ...createRequest, mem_mib: 4096 });
  await expect(engine.workspaces().create(request, call())).rejects.toMatchObject({
    code: 'memory_exhausted',
    hint: 'ask for at most 1024 MiB: mem_mib',
  });
});
