// The life of a workspace over stand-in guests: begun, changed, looked at, gone back, stopped, taken over, ended.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { diffInput } from '../../../../src/contract/changes.ts';
import { logsInput } from '../../../../src/contract/commands.ts';
import { listInput } from '../../../../src/contract/workspaces.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let id = '';

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  id = (await engine.workspaces().create({ ...createRequest, name: 'first' }, call())).workspace_id;
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function textOf(command: string): Promise<string> {
  return (await exec(engine, id, command)).stdout;
}

async function patch(): Promise<string> {
  const result = await engine.workspaces().diff(diffInput.parse({ workspace_id: id }), call());
  return result.patch;
}

test('a command has its own output, error and exit code', async () => {
  const result = await exec(engine, id, 'pwd; echo err >&2; exit 3');
  expect(result).toMatchObject({ stdout: '/workspace\n', stderr: 'err\n', exit_code: 3, running: false });
});

test('what a command changed is in the diff, and only that', async () => {
  expect(await patch()).toBe('');
  await exec(engine, id, 'mkdir d; echo x > d/a; chmod 755 d/a');
  expect(await patch()).toContain('diff --git a/d/a b/d/a\nnew file mode 100755');
});

test('a snapshot is gone back to, with what came later lost', async () => {
  await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'one' }, call());
  await exec(engine, id, 'rm -r d; echo y > b');
  expect(await textOf('ls')).toBe('b\n');
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'one' }, call());
  expect(await textOf('ls; cat d/a')).toBe('d\nx\n');
  expect(await engine.workspaces().status({ workspace_id: id }, call())).toMatchObject({ reset_count: 1 });
});

test('another daemon goes on with the guest, running commands included', async () => {
  const running = await exec(engine, id, 'echo begun; until [ -e go ]; do sleep 0.05; done; echo done', {
    wait_seconds: 0,
  });
  await engine.reopen();
  expect(await textOf('touch go; cat d/a')).toBe('x\n');
  const request = logsInput.parse({ workspace_id: id, sequence: running.sequence, wait_seconds: 60 });
  await until(async () => {
    const { entries } = await engine.workspaces().logs(request, call());
    return entries[0]?.stdout === 'begun\ndone\n' && entries[0].exit_code === 0;
  });
});

test('it goes on from its disk after a stop, and after its guest was killed', async () => {
  await engine.workspaces().stop({ workspace_id: id }, call());
  await expect(exec(engine, id, 'true')).rejects.toMatchObject({ code: 'workspace_stopped' });
  await engine.workspaces().start({ workspace_id: id }, call());
  expect(await textOf('cat d/a')).toBe('x\n');
  const [guest] = engine.engine().activity().guests;
  process.kill(guest?.pid ?? 0, 'SIGKILL');
  await until(() => engine.engine().activity().runningGuests === 0);
  expect(await exec(engine, id, 'cat d/a')).toMatchObject({ stdout: 'x\n', restarted: true });
});

test('it ends whole, and is unknown then', async () => {
  const folder = join(engine.paths.state, 'workspaces', id);
  expect(existsSync(folder)).toBe(true);
  await engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
  expect(existsSync(folder)).toBe(false);
  expect(engine.engine().activity().runningGuests).toBe(0);
  await expect(exec(engine, id, 'true')).rejects.toMatchObject({ code: 'workspace_unknown' });
});

test('nothing is left of a create whose guest does not start', async () => {
  engine.standIn.failures.set('startFresh', new Error('no guest today'));
  await expect(engine.workspaces().create(createRequest, call())).rejects.toThrow('no guest today');
  engine.standIn.failures.clear();
  expect((await engine.workspaces().list(listInput.parse({}))).workspaces).toEqual([]);
});
