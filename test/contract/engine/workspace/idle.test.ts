// Workspaces that nobody uses: stopped after their time, never while something is under way in them, and back with the next call.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createInput } from '../../../../src/contract/workspaces.ts';
import { readRecord, workspaceFiles, writeRecord } from '../../../../src/engine/workspace/workspace-record.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
/** So often a daemon looks for idle ones, `ms` */
const lookMs = 5000;
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function create(ttlSeconds: number): Promise<string> {
  const request = createInput.parse({ ...createRequest, ttl_seconds: ttlSeconds });
  return (await engine.workspaces().create(request, call())).workspace_id;
}

async function status(id: string) {
  return await engine.workspaces().status({ workspace_id: id }, call());
}

/** Another daemon comes an hour later, as the records have it. */
async function reopenAfterAnHour(...ids: string[]): Promise<void> {
  await engine.engine()[Symbol.asyncDispose]();
  for (const id of ids) {
    const files = workspaceFiles(join(engine.paths.state, 'workspaces', id));
    const record = await readRecord(files);
    if (record === undefined) throw new Error('the workspace has no record');
    await writeRecord(files, { ...record, last_activity_at: record.last_activity_at - 3600 });
  }
  await engine.reopen();
}

test('one that is idle is stopped with all that it has written; one that works and one without a limit are not', async () => {
  const idle = await create(60);
  const atWork = await create(60);
  const eternal = await create(0);
  const young = await create(604_800);
  await exec(engine, idle, 'echo x > f');
  const { sequence } = await exec(engine, atWork, 'sleep 1000', { wait_seconds: 0 });
  await reopenAfterAnHour(idle, atWork, eternal, young);
  vi.advanceTimersByTime(lookMs);
  await until(async () => (await status(idle)).state === 'stopped');
  expect(await status(idle)).toMatchObject({ stop_reason: 'idle', expires_at: null });
  const { events } = workspaceFiles(join(engine.paths.state, 'workspaces', idle));
  expect(readFileSync(events, 'utf8')).toContain('"idle"');
  vi.advanceTimersByTime(lookMs);
  for (const id of [atWork, eternal, young]) expect((await status(id)).state).toBe('started');
  expect((await status(young)).expires_at).toBeGreaterThan(Date.now() / 1000);
  expect((await status(atWork)).idle_seconds).toBe(0);
  // Unlike one that was stopped by hand it comes back by itself.
  expect(await exec(engine, idle, 'cat f')).toMatchObject({ stdout: 'x\n', restarted: true });
  await engine.workspaces().signal({ workspace_id: atWork, sequence, signal_name: 'KILL' }, call());
});

test('a command that outlived its daemon is not stopped while the next one is still taking its guest over', async () => {
  const id = await create(60);
  const { sequence } = await exec(engine, id, 'until [ -e go ]; do sleep 0.02; done', { wait_seconds: 0 });
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.standIn.holds.set('takeOver', promise);
  await reopenAfterAnHour(id);
  // It seems to be idle: nobody has looked into the guest yet.
  vi.advanceTimersByTime(lookMs);
  engine.standIn.holds.clear();
  resolve();
  expect(await exec(engine, id, 'touch go')).toMatchObject({ restarted: false, exit_code: 0 });
  await until(async () => (await status(id)).running_sequences.length === 0);
  const { entries } = await engine
    .workspaces()
    .logs({ workspace_id: id, sequence, stream: 'both', wait_seconds: 0 }, call());
  expect(entries).toMatchObject([{ exit_code: 0 }]);
});

test('one that is gone back meanwhile is not idle any more', async () => {
  const id = await create(60);
  await reopenAfterAnHour(id);
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.standIn.holds.set('startFresh', promise);
  const reset = engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  vi.advanceTimersByTime(lookMs);
  engine.standIn.holds.clear();
  resolve();
  await reset;
  expect(await exec(engine, id, 'true')).toMatchObject({ restarted: false });
  expect((await status(id)).state).toBe('started');
});
