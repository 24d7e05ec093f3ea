// Room on the host: memory for one guest only, and disk that comes back from what a guest deletes.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';

/** The machine keeps 1024 of them, and a guest takes as many */
const oneGuestMib = 2600;
let engine: TestEngine;
let id = '';

beforeAll(async () => {
  engine = await openTestEngine({ memoryMib: oneGuestMib });
  id = (await engine.workspaces().create(createRequest, call())).workspace_id;
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

/** What all layers of the workspace's disk take, `MiB`. */
function roomTaken(): number {
  const folder = join(engine.paths.state, 'workspaces', id);
  const layers = readdirSync(folder).filter((name) => name.endsWith('.qcow2'));
  return layers.reduce((sum, name) => sum + statSync(join(folder, name)).blocks / 2048, 0);
}

/** What they take once it is at most so much, or after a minute. */
async function roomOnceBelow(most: number): Promise<number> {
  for (let turn = 0; turn < 240 && roomTaken() > most; turn++) await sleep(250);
  return roomTaken();
}

/** Journal, folders and the like, `MiB` */
const slack = 24;
const fileMib = 120;
const write = async (name: string): Promise<void> => {
  const written = await exec(engine, id, `dd if=/dev/zero of=${name} bs=1M count=${fileMib} 2>&1 && sync`);
  expect(written, JSON.stringify(written)).toMatchObject({ exit_code: 0 });
};

describe('the room of a deleted file', () => {
  it('comes back by itself, in the workspace and beside it', async () => {
    const before = roomTaken();
    await write('/workspace/big');
    await write('/var/tmp/big');
    expect(roomTaken()).toBeGreaterThan(before + 2 * fileMib - 1);
    await exec(engine, id, 'rm /workspace/big /var/tmp/big');
    expect(await roomOnceBelow(before + slack)).toBeLessThanOrEqual(before + slack);
  });

  it('comes back once the snapshot that holds the file is gone', async () => {
    const before = roomTaken();
    await write('big');
    await engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'holds' }, call());
    await exec(engine, id, 'rm big; sync');
    expect(roomTaken()).toBeLessThan(before + fileMib + slack);
    await engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: 'holds' }, call());
    await engine.workspaces().stop({ workspace_id: id }, call());
    await engine.workspaces().start({ workspace_id: id }, call());
    expect(await roomOnceBelow(before + slack)).toBeLessThanOrEqual(before + slack);
  });

  it('comes back in a guest that was started from its disk', async () => {
    const before = roomTaken();
    await write('big');
    await engine.workspaces().stop({ workspace_id: id }, call());
    await engine.workspaces().start({ workspace_id: id }, call());
    expect(roomTaken()).toBeGreaterThan(before + fileMib - 1);
    await exec(engine, id, 'rm big');
    expect(await roomOnceBelow(before + slack)).toBeLessThanOrEqual(before + slack);
  });
});

describe('memory that holds one guest', () => {
  it('is given to one, whoever asks meanwhile, and passes to the one that a reset makes', async () => {
    await exec(engine, id, 'echo mine > kept; sync');
    await expect(engine.workspaces().create(createRequest, call())).rejects.toMatchObject({
      code: 'memory_exhausted',
      message: expect.stringContaining('552 of 1576 MiB are free'),
      hint: expect.stringContaining(id),
    });
    const said: string[] = [];
    await engine
      .workspaces()
      .reset(
        { workspace_id: id, snapshot: 'baseline' },
        call({ onProgress: ({ message }) => void said.push(message) }),
      );
    expect(said).toContain('stopping the guest: memory does not hold two of its size');
    const { stdout, restarted } = await exec(engine, id, 'ls kept 2>&1');
    expect({ stdout, restarted }).toMatchObject({ stdout: expect.stringContaining('No such file'), restarted: false });
    await expect(engine.workspaces().create(createRequest, call())).rejects.toMatchObject({ code: 'memory_exhausted' });
    expect(engine.engine().activity().guests).toHaveLength(1);
  });
});
