// Changes kept in a file whose disk is full, or whose guest goes: told once, and never the end of the daemon.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Change } from '../../../../src/agent/file-types.ts';
import { ChangeFile } from '../../../../src/engine/changes/change-file.ts';

const mebibyte = 1024 * 1024;
let folder: string;
let isMounted: boolean;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pc-'));
  isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0;
});
afterEach(() => {
  if (isMounted) spawnSync('umount', ['--lazy', folder]);
  rmSync(folder, { recursive: true, force: true });
});

async function* contentOf(count: number, size: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) {
    await setImmediate();
    yield Buffer.alloc(size, index);
  }
}

function change(name: string, count: number, size: number): Change {
  return {
    path: Buffer.from(name),
    before: undefined,
    after: { type: 'file', mode: 0o644, size: count * size },
    folded: undefined,
    contentBefore: () => contentOf(0, 0),
    contentAfter: () => contentOf(count, size),
  };
}

async function* changes(each: readonly Change[], error?: Error): AsyncGenerator<Change> {
  yield* each;
  if (error !== undefined) throw error;
}

const fillings: [string, Change[]][] = [
  ['in the middle of a large one', [change('large', 64, mebibyte)]],
  ['after many small ones', Array.from({ length: 9000 }, (_, index) => change(`${index}`, 1, 1000))],
  ['with the very last bytes', [change('last', 1, 5 * mebibyte)]],
];
it.for(fillings)('says that the disk is full %s', async ([_what, all], { skip }) => {
  if (!isMounted) skip('only root can make a small file system to fill');
  const file = new ChangeFile(join(folder, 'changes'));
  await expect(file.fill(changes(all))).rejects.toMatchObject({ code: 'disk_full' });
});

it('passes on why the guest could not be read', async () => {
  const file = new ChangeFile(join(folder, 'changes'));
  await expect(file.fill(changes([change('a', 3, 10)], new Error('the guest went')))).rejects.toThrow('the guest went');
});

it('gives back what it was given, and nothing twice', async () => {
  const file = new ChangeFile(join(folder, 'changes'));
  await file.fill(changes([change('a', 3, 1000), change('b', 2, 500)]));
  const parts: Buffer[] = [];
  for await (const part of file.read(file.changes.get('b')?.after)) parts.push(part);
  expect(Buffer.concat(parts)).toEqual(Buffer.concat([Buffer.alloc(500, 0), Buffer.alloc(500, 1)]));
});
