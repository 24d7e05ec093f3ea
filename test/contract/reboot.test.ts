// A reboot, after which other programs have the ids and the start times that guests, daemons and owners of files had before it.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MemoryLedger } from '../../src/engine/guests/memory-ledger.ts';
import { findHolder } from '../../src/system/lock.ts';
import { identifyProcess, isRunning, killProcess, type ProcessIdentity } from '../../src/system/processes.ts';
import { FaultHome } from '../support/fault-home.ts';
import { isAlive, killNow } from '../support/kill.ts';
import { folderForEach } from '../support/own-folder.ts';
import { processesOf } from '../support/real-home.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';
import { until } from '../support/until.ts';

const earlierBoot = 'aaaaaaaa-0000-4000-8000-000000000000';
const recordSchema = z.looseObject({ guest: z.looseObject({}) });

/** Somebody else's program. */
let foreign: ChildProcess;
/** What ours was called before the reboot: the same id, the same time after the boot */
let before: ProcessIdentity;

beforeEach(() => {
  foreign = spawn('sleep', ['600'], { stdio: 'ignore' });
  const now = identifyProcess(foreign.pid ?? 0);
  if (now === undefined) throw new Error('the other program does not run');
  before = { ...now, boot_id: earlierBoot };
});
afterEach(() => {
  if (isAlive(foreign.pid)) killNow(foreign.pid);
});

describe('a process of an earlier boot', () => {
  it('runs no more and is not killed, whoever has its id and its start time now', async () => {
    const now = identifyProcess(before.pid);
    expect(now).toMatchObject({ pid: before.pid, start_ticks: before.start_ticks });
    expect(now !== undefined && isRunning(now)).toBe(true);
    expect(isRunning(before)).toBe(false);
    await killProcess(before);
    expect(now !== undefined && isRunning(now)).toBe(true);
    // Notes of older versions say nothing of the boot: a guest that runs is taken over from them.
    expect(isRunning({ pid: before.pid, start_ticks: before.start_ticks })).toBe(true);
  });

  let folder = '';
  folderForEach('pb-', (made) => {
    folder = made;
  });

  it('holds no lock and no memory', async () => {
    const lock = join(folder, 'daemon.lock');
    writeFileSync(lock, JSON.stringify(before), { mode: 0o600 });
    expect(await findHolder(lock)).toBeUndefined();
    const memory = join(folder, 'memory');
    mkdirSync(memory);
    const notes = JSON.stringify([{ id: null, mem_mib: 4096 }]);
    writeFileSync(join(memory, `${before.pid}-${before.start_ticks}-aaaaaaaa-01234567.json`), notes, { mode: 0o600 });
    expect(new MemoryLedger(memory).alone((others) => others)).toEqual([]);
    writeFileSync(join(memory, `${before.pid}-${before.start_ticks}-01234567.json`), notes, { mode: 0o600 });
    expect(new MemoryLedger(memory).alone((others) => others)).toMatchObject([{ pid: before.pid }]);
  });
});

describe.skipIf(standInObstacle() !== undefined)('after a reboot', () => {
  it('whoever has the id of a guest is neither signalled nor taken for it, in any call', async () => {
    await using home = await FaultHome.open();
    const create = async (): Promise<string> => await home.create();
    const ids = await Promise.all([create(), create(), create(), create()]);
    const [used, stopped, deleted, reset] = ids;
    for (const id of [used, stopped]) await home.sh(id, 'echo kept > kept; sync kept');
    await home.kill();
    home.killGuests();
    await until(() => processesOf(home.folder).length === 0);
    rmSync(home.paths.runtime, { recursive: true });
    for (const id of ids) {
      const path = join(home.paths.state, 'workspaces', id, 'workspace.json');
      const record = recordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
      writeFileSync(path, JSON.stringify({ ...record, guest: { ...record.guest, process: before } }));
    }
    writeFileSync(join(home.paths.state, 'daemon.lock'), JSON.stringify(before));
    await home.start();
    expect(await home.list()).toEqual(new Map(ids.map((id) => [id, 'stopped'])));
    expect(JSON.stringify(await home.call('workspace.status', { workspace_id: used }))).toContain(
      'this machine was started anew',
    );
    expect(await home.sh(used, 'cat kept')).toBe('kept\n');
    await home.call('workspace.stop', { workspace_id: stopped });
    await home.call('workspace.delete', { workspace_id: deleted });
    await home.call('workspace.reset', { workspace_id: reset });
    await home.call('workspace.start', { workspace_id: stopped });
    expect(await home.sh(stopped, 'cat kept')).toBe('kept\n');
    expect(await home.close()).toEqual([]);
    expect(isAlive(foreign.pid)).toBe(true);
  });
});
