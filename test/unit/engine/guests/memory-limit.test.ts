// The memory that guests share: who gets it, who must wait, what is said, and when it is free again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createWorkspace } from '../../../../src/engine/calls/create.ts';
import { SeedMemory } from '../../../../src/engine/calls/seed.ts';
import { GuestMemory, passing } from '../../../../src/engine/guests/memory-limit.ts';
import { Preparations } from '../../../../src/engine/guests/preparations.ts';
import { WorkspaceRegistry } from '../../../../src/engine/workspace/workspace-registry.ts';
import { call, createRequest } from '../../../support/engine.ts';
import { openSilentGuests } from '../../../support/silent-guest.ts';

const idle = (id: string, memMib: number, seconds: number) => ({ id, memMib, idleSeconds: () => seconds });

it('is held until it is given back, and says how much is free and what to stop', () => {
  const memory = new GuestMemory(24 * 1024);
  const first = memory.reserve(idle('0123456789ab', 14_000, 5));
  memory.reserve(idle('ba9876543210', 4000, 70));
  expect(() => memory.reserve(passing(14_000))).toThrow(
    expect.objectContaining({
      code: 'memory_exhausted',
      message: 'a guest of 14000 MiB does not fit: 5552 of 23552 MiB are free, the rest is used by 2 guests',
      hint: 'stop or delete a workspace that you do not need: ba9876543210 (4000 MiB, idle 70 s), 0123456789ab (14000 MiB, idle 5 s); or ask for at most 5552 MiB: mem_mib',
      details: expect.objectContaining({ free_mib: 5552, held_mib: 18_000, limit_mib: 23_552, wanted_mib: 14_000 }),
    }),
  );
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  memory.reserve(passing(14_000));
  expect(() => memory.reserve(passing(14_000))).toThrow('5552 of 23552 MiB are free');
});

it('names no workspace to stop where only guests that end by themselves hold it', () => {
  const memory = new GuestMemory(3 * 1024);
  memory.reserve(passing(2048));
  expect(() => memory.reserve(passing(512))).toThrow(
    expect.objectContaining({ hint: 'guests that are at work end by themselves; try again later' }),
  );
});

it('is called back from what nobody waits for, the last that was begun first, and only as far as is needed', () => {
  const memory = new GuestMemory(5 * 1024);
  const given: string[] = [];
  memory.lend(1024, () => given.push('first'));
  memory.lend(1024, () => given.push('second'));
  const guest = memory.reserve(passing(2048));
  expect(given).toEqual([]);
  expect(memory.lend(1024, () => undefined)).toBeUndefined();
  memory.reserve(passing(1024));
  expect(given).toEqual(['second']);
  guest[Symbol.dispose]();
});

it('is reserved by a create before anything is waited for, and free again when that fails', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pm-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const paths = {
    cache: join(folder, 'cache'),
    state: join(folder, 's'),
    config: join(folder, 'c'),
    runtime: join(folder, 'r'),
  };
  await using registry = await WorkspaceRegistry.open(paths, new GuestMemory(24 * 1024));
  const preparations = new Preparations(paths, new AbortController().signal);
  // Such a create ends before it needs anything of the machine.
  const secrets = [{ name: 'GONE', file_path: join(folder, 'gone') }];
  const create = () =>
    createWorkspace(registry, preparations, new SeedMemory(), { ...createRequest, mem_mib: 14_000, secrets }, call());
  const [first, second] = await Promise.allSettled([create(), create()]);
  expect(first).toMatchObject({ reason: expect.not.objectContaining({ code: 'memory_exhausted' }) });
  expect(second).toMatchObject({ reason: { code: 'memory_exhausted' } });
  await expect(create()).rejects.not.toMatchObject({ code: 'memory_exhausted' });
});

it('is held for a guest of an earlier daemon before it is taken over, until its process has ended', async () => {
  await using fake = openSilentGuests();
  const guest = await fake.startGuest();
  const workspace = await fake.openWorkspace({ guest: guest.record, mem_mib: 14_000 });
  expect(() => fake.memory.reserve(passing(14_000))).toThrow('the rest is used by 1 guest');
  guest.process.kill('SIGKILL');
  await workspace.takeOver(call());
  fake.memory.reserve(passing(14_000))[Symbol.dispose]();
});

it('is reserved by a start, and free again when that fails', async () => {
  await using fake = openSilentGuests();
  const workspace = await fake.openWorkspace({ mem_mib: 14_000, state: 'stopped', stop_reason: 'idle' });
  const start = workspace.start(call());
  const failed = expect(start).rejects.toThrow();
  await Promise.resolve();
  await Promise.resolve();
  expect(() => fake.memory.reserve(passing(14_000))).toThrow('9552 of 23552 MiB are free');
  await failed;
  fake.memory.reserve(passing(14_000))[Symbol.dispose]();
});
