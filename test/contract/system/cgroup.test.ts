// Limits that the kernel really enforces, on a machine that lets us set them.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mebibyte } from '../../../src/shared/units.ts';
import { createCgroup, findCgroupHome, findCgroupOf } from '../../../src/system/cgroup.ts';
import { until } from '../../support/until.ts';

const home = await findCgroupHome();
const reason = 'reason' in home ? home.reason : undefined;
const folders = 'folders' in home ? home.folders : [];

function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
}

/** A process that waits for a line before it does its work. */
function waiting(script: string): ChildProcess {
  return spawn('sh', ['-c', `read -r go; ${script}`], { stdio: ['pipe', 'pipe', 'ignore'] });
}

function placesOf(name: string): boolean[] {
  return folders.map((folder) => readdirSync(folder).some((each) => each.endsWith(`-${name}`)));
}

describe.skipIf(reason !== undefined)(`cgroup${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  it('ends a process that takes more memory than it may, and is gone afterwards', async () => {
    const name = `memory-${process.pid}`;
    const cgroup = await createCgroup(name, { memoryBytes: 32 * mebibyte, processCount: 64 });
    // dd takes its block size as memory.
    const child = waiting('exec dd if=/dev/zero of=/dev/null bs=256M count=1');
    cgroup?.enter(child.pid ?? 0);
    child.stdin?.end('go\n');
    expect(await ended(child)).toBe('SIGKILL');
    await cgroup?.remove();
    expect(placesOf(name)).not.toContain(true);
  });

  it('refuses processes beyond the limit', async () => {
    const name = `pids-${process.pid}`;
    const cgroup = await createCgroup(name, { memoryBytes: 256 * mebibyte, processCount: 4 });
    const child = waiting('for i in 1 2 3 4 5 6; do sleep 0.2 & done; wait');
    cgroup?.enter(child.pid ?? 0);
    child.stdin?.end('go\n');
    // dash ends with 2 when it cannot fork.
    expect(await ended(child)).toBe(2);
    // Those that it could start go on for a moment.
    await until(async () => {
      await cgroup?.remove();
      return !placesOf(name).includes(true);
    });
  });

  it('is found by one of its processes, and stays while it holds one', async () => {
    const name = `found-${process.pid}`;
    const cgroup = await createCgroup(name, { memoryBytes: 64 * mebibyte, processCount: 8 });
    const child = waiting('true');
    cgroup?.enter(child.pid ?? 0);
    expect(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8')).toContain(`-${name}`);
    const found = await findCgroupOf(child.pid ?? 0);
    await found?.remove();
    expect(placesOf(name)).not.toContain(false);
    child.kill('SIGKILL');
    await ended(child);
    await found?.remove();
    expect(placesOf(name)).not.toContain(true);
    expect(await findCgroupOf(process.pid)).toBeUndefined();
  });

  it('clears what a maker that is dead has left', async () => {
    for (const folder of folders) mkdirSync(join(folder, 'pyro-4194304-1-left'));
    const cgroup = await createCgroup(`next-${process.pid}`, { memoryBytes: 64 * mebibyte, processCount: 8 });
    await cgroup?.remove();
    expect(placesOf('left')).not.toContain(true);
  });
});
