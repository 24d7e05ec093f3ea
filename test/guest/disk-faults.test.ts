// A real disk below a real guest whose quota is used up, or that fails: told in seconds, only there, and gone with the named step.
//
// It mounts file systems, so it runs for root alone and when asked: PYRO_DISK_FAULTS=1 (or PYRO_SOAK=1).
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportError } from '../../src/shared/errors.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { type DiskFault, diskObstacle, FailingDisk } from '../support/failing-disk.ts';
import { until } from '../support/until.ts';

const isWanted = process.env['PYRO_DISK_FAULTS'] === '1' || process.env['PYRO_SOAK'] === '1';
let engine: TestEngine;

beforeAll(async () => {
  if (isWanted) engine = await openTestEngine();
});
afterAll(async () => {
  if (isWanted) await engine[Symbol.asyncDispose]();
});

const stateOf = async (id: string) => {
  const { state, state_reason: reason } = await engine.workspaces().status({ workspace_id: id }, call());
  return `${state} (${reason ?? ''})`;
};

async function create(): Promise<string> {
  return (await engine.workspaces().create(createRequest, call())).workspace_id;
}

/** A workspace whose folder lies on a disk of its own. */
async function createOn(fault: DiskFault): Promise<{ id: string; disk: FailingDisk }> {
  const id = await create();
  await engine.workspaces().stop({ workspace_id: id }, call());
  const disk = new FailingDisk(fault, join(engine.paths.state, 'workspaces', id));
  await engine.workspaces().start({ workspace_id: id }, call());
  await exec(engine, id, 'echo kept > kept; sync');
  return { id, disk };
}

const write = 'dd if=/dev/urandom of=big bs=1M count=800 conv=fsync; sync';

async function timed(work: () => Promise<unknown>): Promise<{ seconds: number; error: unknown }> {
  const startedAt = performance.now();
  const error = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { seconds: (performance.now() - startedAt) / 1000, error };
}

/** What holds while the disk of one fails: it is told in seconds, and the others go on. */
async function checkTold(id: string, other: string, code: string, reason: string): Promise<void> {
  const { error, seconds } = await timed(() => exec(engine, id, write, { wait_seconds: 100 }));
  expect(reportError(error)).toMatchObject({ code });
  expect(seconds).toBeLessThan(60);
  expect(await stateOf(id)).toContain(reason);
  const again = await timed(() => exec(engine, id, 'cat kept'));
  expect(reportError(again.error)).toMatchObject({ code });
  expect(again.seconds).toBeLessThan(5);
  const beside = await timed(async () => {
    expect((await exec(engine, other, 'echo fine > fine; sync; cat fine')).stdout).toBe('fine\n');
    await stateOf(other);
  });
  expect(beside.error).toBeUndefined();
  expect(beside.seconds).toBeLessThan(15);
}

describe.skipIf(!isWanted)('a disk below one guest', () => {
  it('whose quota is used up holds that guest alone, and lets it go on by itself', async ({ skip }) => {
    const obstacle = diskObstacle('quota');
    if (obstacle !== undefined) skip(obstacle);
    const other = await create();
    const { id, disk } = await createOn('quota');
    using _disk = disk;
    disk.fail();
    await checkTold(id, other, 'disk_full', 'paused (disk full: quota used up)');
    // What takes other ways to the guest is told of it as soon.
    const snapshot = { workspace_id: id, snapshot_name: 'none' };
    const refused = await timed(() => engine.workspaces().snapshotCreate(snapshot, call()));
    expect(reportError(refused.error)).toMatchObject({ code: 'disk_full' });
    expect(refused.seconds).toBeLessThan(5);
    disk.mend();
    await until(async () => (await stateOf(id)) === 'started ()');
    expect(await exec(engine, id, 'cat kept; sync; echo synced')).toMatchObject({
      stdout: 'kept\nsynced\n',
      restarted: false,
    });
  });

  it('that fails holds that guest alone, and says what helps once the disk works again', async ({ skip }) => {
    const obstacle = diskObstacle('error');
    if (obstacle !== undefined) skip(obstacle);
    const other = await create();
    const { id, disk } = await createOn('error');
    using _disk = disk;
    disk.fail();
    await checkTold(id, other, 'disk_failed', 'paused (disk error: Input/output error');
    disk.mend();
    await until(async () => /^started|given the disk up/.test(await stateOf(id)));
    // A flush has failed: QEMU makes no second try of one.
    expect(await stateOf(id)).toContain('QEMU has given the disk up');
    const { error } = await timed(() => exec(engine, id, 'cat kept'));
    expect(reportError(error).hint).toContain(`workspace.stop`);
    expect((await timed(() => engine.workspaces().stop({ workspace_id: id }, call()))).seconds).toBeLessThan(15);
    await engine.workspaces().start({ workspace_id: id }, call());
    expect(await exec(engine, id, 'cat kept; echo more > more; sync; cat more')).toMatchObject({
      stdout: 'kept\nmore\n',
    });
  });
});
