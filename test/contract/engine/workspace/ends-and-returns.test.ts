// Guests that end and come back: dead, left to another daemon, hanging, or beside a host that fails.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serviceStartInput } from '../../../../src/contract/services.ts';
import { createInput } from '../../../../src/contract/workspaces.ts';
import { workspaceFiles } from '../../../../src/engine/workspace/workspace-record.ts';
import { PyroError } from '../../../../src/shared/errors.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function create(fields: Partial<ReturnType<typeof createInput.parse>> = {}): Promise<string> {
  const request = createInput.parse({ ...createRequest, ...fields });
  return (await engine.workspaces().create(request, call())).workspace_id;
}

function guestOf(id: string) {
  return engine
    .engine()
    .activity()
    .guests.find((guest) => guest.workspace_id === id);
}

async function status(id: string) {
  return await engine.workspaces().status({ workspace_id: id }, call());
}

function eventsOf(id: string): string {
  return readFileSync(workspaceFiles(join(engine.paths.state, 'workspaces', id)).events, 'utf8');
}

test('the activity of the daemon counts its guests, their memory and who is at work', async () => {
  const before = engine.engine().activity();
  const id = await create({ mem_mib: 512 });
  const { sequence } = await exec(engine, id, 'sleep 1000', { wait_seconds: 0 });
  const { runningGuests, memoryBytes, busyCalls } = engine.engine().activity();
  expect(runningGuests).toBe(before.runningGuests + 1);
  expect(memoryBytes).toBe(before.memoryBytes + 512 * 1024 * 1024);
  expect(busyCalls).toBe(before.busyCalls + 1);
  await engine.workspaces().signal({ workspace_id: id, sequence, signal_name: 'KILL' }, call());
  await until(() => engine.engine().activity().busyCalls === before.busyCalls);
  await engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
  expect(engine.engine().activity()).toMatchObject({ runningGuests: before.runningGuests });
});

test('of many calls at once to one whose guest died each is served, by one new guest', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  const others = engine.standIn.alive.size - 1;
  const pid = guestOf(id)?.pid ?? 0;
  killNow(pid);
  await until(() => !engine.standIn.alive.has(pid));
  const results = await Promise.all(Array.from({ length: 8 }, () => exec(engine, id, 'cat f')));
  expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, () => 'x\n'));
  expect(results.filter(({ restarted }) => restarted)).toHaveLength(1);
  await until(() => engine.standIn.alive.size === others + 1);
  expect(eventsOf(id).match(/its process was killed/g)).toHaveLength(1);
});

test('one whose guest died while no daemon was there starts from its disk', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  const pid = guestOf(id)?.pid;
  await engine.engine()[Symbol.asyncDispose]();
  killNow(pid);
  await until(() => !engine.standIn.alive.has(pid ?? 0));
  await engine.reopen();
  await until(async () => (await status(id)).state === 'crashed');
  expect((await status(id)).stop_reason).toBe('crash');
  expect(await exec(engine, id, 'cat f')).toMatchObject({ stdout: 'x\n', restarted: true });
});

test('a guest that does not answer the next daemon is ended before another starts from its disk', async () => {
  const id = await create();
  await exec(engine, id, 'echo x > f');
  const hanging = guestOf(id)?.pid;
  engine.standIn.failures.set('takeOver', new PyroError('guest_unreachable', 'it says nothing'));
  await engine.reopen();
  await until(async () => (await status(id)).state === 'crashed');
  engine.standIn.failures.clear();
  await until(() => !engine.standIn.alive.has(hanging ?? 0));
  expect(eventsOf(id)).toContain('given up: it says nothing');
  expect(await exec(engine, id, 'cat f')).toMatchObject({ stdout: 'x\n', restarted: true });
});

test('a host that has lost its machine ends no guest, and says why nothing works', async () => {
  const id = await create();
  const { sequence } = await exec(engine, id, 'until [ -e go ]; do sleep 0.02; done; echo done', { wait_seconds: 0 });
  const pid = guestOf(id)?.pid;
  engine.standIn.failures.set('open', new PyroError('tool_missing', 'there is no QEMU any more'));
  await engine.reopen();
  await expect(exec(engine, id, 'true')).rejects.toMatchObject({ code: 'tool_missing' });
  await expect(engine.workspaces().stop({ workspace_id: id }, call())).rejects.toMatchObject({ code: 'tool_missing' });
  expect(engine.standIn.alive.has(pid ?? 0)).toBe(true);
  engine.standIn.failures.clear();
  expect(await exec(engine, id, 'touch go')).toMatchObject({ restarted: false });
  await until(async () => (await status(id)).running_sequences.length === 0);
  expect((await status(id)).last_command).toMatchObject({ sequence: sequence + 1 });
});

test('a service comes back with the guest, and its end is asked for before a stop', async () => {
  const id = await create();
  const command = 'trap "echo bye >> log; exit" TERM; echo hello >> log; while :; do sleep 0.02; done';
  const request = serviceStartInput.parse({
    workspace_id: id,
    service_name: 's',
    command,
    ready_file: 'log',
    restart_policy: 'always',
  });
  await engine.workspaces().services.start(request, call());
  await engine.workspaces().stop({ workspace_id: id }, call());
  expect(await engine.workspaces().services.list({ workspace_id: id }, call())).toMatchObject({ running_count: 0 });
  await engine.workspaces().start({ workspace_id: id }, call());
  await until(async () => (await exec(engine, id, 'cat log')).stdout === 'hello\nbye\nhello\n');
  expect(await status(id)).toMatchObject({ service_count: 1, running_service_count: 1 });
});

test('a start that fails leaves it stopped, and a stop of what is stopped is none', async () => {
  const id = await create();
  await engine.workspaces().stop({ workspace_id: id }, call());
  expect(await engine.workspaces().stop({ workspace_id: id }, call())).toMatchObject({
    state: 'stopped',
    stop_reason: 'explicit',
  });
  engine.standIn.failures.set('startOnDisk', new Error('no guest today'));
  await expect(engine.workspaces().start({ workspace_id: id }, call())).rejects.toThrow('no guest today');
  engine.standIn.failures.clear();
  expect(await status(id)).toMatchObject({ state: 'stopped', accelerator: 'none', processes: null });
  const starts = await Promise.all([
    engine.workspaces().start({ workspace_id: id }, call()),
    engine.workspaces().start({ workspace_id: id }, call()),
  ]);
  expect(starts.map(({ state }) => state)).toEqual(['started', 'started']);
  expect(await status(id)).toMatchObject({ accelerator: 'tcg', processes: expect.any(Number) });
});

test('a call to one that is being deleted fails as one to an unknown one', async () => {
  const id = await create();
  const deleting = engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
  const others = await Promise.allSettled([
    deleting,
    engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call()),
    engine.workspaces().start({ workspace_id: id }, call()),
    exec(engine, id, 'true'),
  ]);
  expect(others[0].status).toBe('fulfilled');
  for (const other of others.slice(1))
    if (other.status === 'rejected')
      expect(['workspace_unknown', 'guest_unreachable', 'guest_ended']).toContain(other.reason.code);
  expect(guestOf(id)).toBeUndefined();
  await expect(status(id)).rejects.toMatchObject({ code: 'workspace_unknown' });
});

test('folders of sockets that nobody owns any more go with the next daemon', async () => {
  const id = await create();
  const orphan = join(engine.paths.runtime, 'w0123456789ab-012345');
  mkdirSync(orphan);
  writeFileSync(join(orphan, 'a'), '');
  await engine.reopen();
  expect(existsSync(orphan)).toBe(false);
  expect((await exec(engine, id, 'echo on')).stdout).toBe('on\n');
});
