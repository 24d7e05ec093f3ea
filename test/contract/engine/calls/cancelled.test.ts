// Calls that are cancelled half-way, at each moment: the workspace is as before or as after, and nothing is left over.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { logsInput } from '../../../../src/contract/commands.ts';
import { resetInput } from '../../../../src/contract/workspaces.ts';
import { readRecord, workspaceFiles } from '../../../../src/engine/workspace/workspace-record.ts';
import { cancelByTheClock, cancelEverywhere, type Outcome } from '../../../support/cancelling.ts';
import { call, createRequest, exec, execRequest } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

/** Beside what is left to the host there is room for one guest, so that memory that is not given back is noticed */
const roomForOne = 1024 + createRequest.mem_mib;

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeEach(async () => {
  if (obstacle === undefined) engine = await openStandInEngine(roomForOne);
});
afterEach(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'secrets') : [];
}

/** Exactly the guests of the workspaces that are there run, with their sockets, their folders and their layers. */
async function expectWhole(id?: string): Promise<void> {
  const isRunning = engine.engine().activity().runningGuests === 1;
  await until(() => engine.standIn.alive.size === (isRunning ? 1 : 0));
  expect(names(engine.paths.runtime)).toHaveLength(isRunning ? 1 : 0);
  expect(names(join(engine.paths.state, 'workspaces'))).toEqual(id === undefined ? [] : [id]);
  if (id === undefined) return;
  const files = workspaceFiles(join(engine.paths.state, 'workspaces', id));
  const record = await readRecord(files);
  const layers = names(files.folder).filter((name) => name.startsWith('disk-'));
  expect(layers.sort()).toEqual(Object.keys(record?.layers ?? {}).sort());
  expect(layers).toContain(record?.disk);
}

async function create(): Promise<string> {
  return (await engine.workspaces().create(createRequest, call())).workspace_id;
}

test('a create leaves nothing, neither a guest nor memory nor a secret', async () => {
  const secrets = [{ name: 'TOKEN', value: 'a secret of the test' }];
  let made = '';
  const act = async (context: ReturnType<typeof call>): Promise<void> => {
    made = '';
    made = (await engine.workspaces().create({ ...createRequest, secrets }, context)).workspace_id;
  };
  const check = async (outcome: Outcome): Promise<void> => {
    if (outcome === 'done')
      await engine.workspaces().delete({ workspace_id: made, force: true, dry_run: false }, call());
    await expectWhole();
  };
  const { cancelledCount } = await cancelEverywhere(act, check);
  expect(cancelledCount).toBeGreaterThan(2);
  await cancelByTheClock(act, check);
  // All that memory holds is free.
  await create();
});

test('a reset is done or not, with one guest and its layers', async () => {
  const id = await create();
  await exec(engine, id, 'echo old > f');
  await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'one' }, call());
  let resets = 0;
  const act = async (context: ReturnType<typeof call>): Promise<void> => {
    await engine.workspaces().start({ workspace_id: id }, call());
    await exec(engine, id, 'echo new > f');
    await engine.workspaces().reset(resetInput.parse({ workspace_id: id, snapshot: 'one' }), context);
  };
  const check = async (outcome: Outcome): Promise<void> => {
    await expectWhole(id);
    const { stdout } = await exec(engine, id, 'cat f');
    const { reset_count: count } = await engine.workspaces().status({ workspace_id: id }, call());
    expect(stdout).toBe(count > resets ? 'old\n' : 'new\n');
    if (outcome === 'done') expect(count).toBe(resets + 1);
    resets = count;
  };
  const { cancelledCount } = await cancelEverywhere(act, check);
  expect(cancelledCount).toBeGreaterThan(2);
  await cancelByTheClock(act, check, 4);
});

test('a snapshot is there or not, and the guest goes on', async () => {
  const id = await create();
  let turns = 0;
  const check = async (outcome: Outcome): Promise<void> => {
    await expectWhole(id);
    const list = await engine.workspaces().snapshotList({ workspace_id: id }, call());
    const isThere = list.snapshots.some((each) => each.snapshot_name === `s${turns}`);
    if (outcome === 'done') expect(isThere).toBe(true);
    if (isThere) await engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: `s${turns}` }, call());
    expect((await exec(engine, id, `echo ${turns} >> f; tail -n 1 f`)).stdout).toBe(`${turns}\n`);
  };
  await cancelEverywhere(async (context) => {
    turns += 1;
    await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: `s${turns}` }, context);
  }, check);
  expect((await exec(engine, id, 'wc -l < f')).stdout).toBe(`${turns}\n`);
});

test('a start and a stop are done or not, and can be called again', async () => {
  const id = await create();
  await exec(engine, id, 'echo kept > f');
  const workspaces = engine.workspaces();
  await cancelEverywhere(
    async (context) => {
      await workspaces.start({ workspace_id: id }, call());
      await workspaces.stop({ workspace_id: id }, context);
    },
    async (outcome) => {
      await expectWhole(id);
      const { state } = await workspaces.status({ workspace_id: id }, call());
      if (outcome === 'done') expect(state).toBe('stopped');
      expect(engine.engine().activity().runningGuests).toBe(state === 'started' ? 1 : 0);
    },
  );
  await cancelEverywhere(
    async (context) => {
      await workspaces.stop({ workspace_id: id }, call());
      await workspaces.start({ workspace_id: id }, context);
    },
    async (outcome) => {
      await expectWhole(id);
      const { state } = await workspaces.status({ workspace_id: id }, call());
      if (outcome === 'done') expect(state).toBe('started');
      await workspaces.start({ workspace_id: id }, call());
      expect((await exec(engine, id, 'cat f')).stdout).toBe('kept\n');
    },
  );
});

test('a command is gone with all that it started, and its record has an end', async () => {
  const id = await create();
  const command = 'sleep 1000 & sleep 1000 & wait';
  const check = async (): Promise<void> => {
    // One that is cancelled while it starts is killed as soon as it has.
    await until(async () => {
      const { entries } = await engine.workspaces().logs(logsInput.parse({ workspace_id: id, limit: 200 }), call());
      const { running_sequences: running } = await engine.workspaces().status({ workspace_id: id }, call());
      return running.length === 0 && entries.every((each) => !each.running);
    });
    expect((await exec(engine, id, "grep -lE '^Name:.sleep$' /proc/[0-9]*/status")).stdout).toBe('');
  };
  const { cancelledCount } = await cancelEverywhere(async (context) => {
    const request = { ...execRequest, workspace_id: id, command, wait_seconds: 0.2 };
    const { running, sequence } = await engine.workspaces().exec(request, context);
    if (!running) return;
    await engine.workspaces().signal({ workspace_id: id, sequence, signal_name: 'KILL' }, call());
    await until(async () => {
      const status = await engine.workspaces().status({ workspace_id: id }, call());
      return status.running_sequences.length === 0;
    });
  }, check);
  expect(cancelledCount).toBeGreaterThan(2);
});
