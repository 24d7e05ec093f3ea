// A disk of this machine that is full: what runs can still be listed, stopped and deleted; new work is refused before that.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { listInput } from '../../../../src/contract/workspaces.ts';
import { Reserve } from '../../../../src/system/reserve.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const disk = mkdtempSync(join(tmpdir(), 'pf-'));
const hasDisk = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=420m', 'tmpfs', disk]).status === 0;
const obstacle = hasDisk ? standInObstacle() : 'only root can make a small file system to fill';
const filler = join(disk, 'fill');

afterAll(() => {
  if (hasDisk) spawnSync('umount', ['--lazy', disk]);
  rmSync(disk, { recursive: true, force: true });
});

/** Takes all room but so much. */
function fillUp(leftMib = 0): void {
  const { bavail, bsize } = statfsSync(disk);
  const mebibytes = Math.floor((bavail * bsize) / 2 ** 20) - leftMib;
  const file = openSync(filler, 'a');
  try {
    for (let count = 0; count < mebibytes; count++) writeSync(file, Buffer.alloc(2 ** 20));
    while (leftMib === 0) writeSync(file, Buffer.alloc(4096));
  } catch {
    // Full, as it is wanted.
  } finally {
    closeSync(file);
  }
}

describe.skipIf(obstacle !== undefined)('a home on a disk that fills up', { shuffle: false }, () => {
  let engine: StandInEngine;
  let ids: string[] = [];
  let reserve = '';

  beforeAll(async () => {
    vi.stubEnv('TMPDIR', disk);
    engine = await openStandInEngine();
    reserve = join(engine.paths.state, 'reserve');
    for (let count = 0; count < 3; count++)
      ids.push((await engine.workspaces().create(createRequest, call())).workspace_id);
    await exec(engine, ids[0] ?? '', 'echo kept > kept; sync');
  });
  afterAll(async () => {
    rmSync(filler, { force: true });
    await engine[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
  });

  const list = async () => (await engine.workspaces().list(listInput.parse({}))).workspaces;
  const stateOf = async (id: string) => (await list()).find((each) => each.workspace_id === id)?.state;

  it('has room kept in real blocks', async () => {
    await until(() => existsSync(reserve));
    expect(statSync(reserve)).toMatchObject({ size: 16 * 2 ** 20, blocks: 16 * 2048 });
  });

  it('refuses new work before it is full, with numbers and what would make room', async () => {
    fillUp(100);
    await expect(engine.workspaces().create(createRequest, call())).rejects.toMatchObject({
      code: 'disk_low',
      message: expect.stringMatching(/^only \d+(\.\d)? MiB are free in .*: a new workspace needs 256 MiB$/),
      hint: expect.stringMatching(/workspaces take .*workspace\.prune.*environments .*env\.prune.*templates/),
    });
    expect((await list()).length).toBe(3);
    rmSync(filler);
  });

  it('lets workspaces be listed, stopped, noted as crashed and deleted when it is full, also by the next daemon', async () => {
    fillUp();
    const [first = '', second = '', third = ''] = ids;
    expect((await list()).map(({ state }) => state)).toEqual(['started', 'started', 'started']);
    expect(await engine.workspaces().status({ workspace_id: first }, call())).toMatchObject({ state: 'started' });
    expect(await engine.workspaces().stop({ workspace_id: first }, call())).toMatchObject({ state: 'stopped' });
    // What was kept went into the record; the rest is for what follows.
    expect(existsSync(reserve)).toBe(false);
    const { guests } = engine.engine().activity();
    killNow(guests.find(({ workspace_id: id }) => id === second)?.pid);
    await until(async () => (await stateOf(second)) === 'crashed');
    await engine.reopen();
    expect((await list()).length).toBe(3);
    expect(await stateOf(first)).toBe('stopped');
    const request = { force: true, dry_run: false };
    for (const id of [second, third]) {
      expect(await engine.workspaces().delete({ ...request, workspace_id: id }, call())).toMatchObject({
        deleted: true,
      });
    }
    ids = [first];
    expect((await list()).length).toBe(1);
  });

  it('has its room back by itself when there is some, and goes on', async () => {
    rmSync(filler);
    await until(() => existsSync(reserve));
    const [first = ''] = ids;
    await engine.workspaces().start({ workspace_id: first }, call());
    expect((await exec(engine, first, 'cat kept')).stdout).toBe('kept\n');
  });
});

describe.skipIf(!hasDisk)('reserved room', () => {
  it('is spent once, for work that finds no other', async () => {
    rmSync(filler, { force: true });
    const kept = new Reserve(disk);
    await kept.keep();
    let tries = 0;
    const fails = async (): Promise<string> => {
      if (++tries === 1) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
      return 'written';
    };
    expect(await kept.spend(fails)).toBe('written');
    expect(existsSync(join(disk, 'reserve'))).toBe(false);
    tries = 0;
    await expect(kept.spend(fails)).rejects.toThrow('no room');
    await expect(
      kept.spend(async () => {
        throw new Error('another');
      }),
    ).rejects.toThrow('another');
  });

  it('is not taken where there is little', async () => {
    fillUp(200);
    await new Reserve(disk).keep();
    expect(existsSync(join(disk, 'reserve'))).toBe(false);
    rmSync(filler);
  });
});
