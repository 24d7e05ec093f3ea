// Ends that meet a workspace half-way: our own end is not its guest's, and it is there until its end is sure.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { WorkspaceCall } from '../../../../src/contract/call.ts';
import { createSnapshot } from '../../../../src/engine/calls/snapshots.ts';
import { RecordKeeper } from '../../../../src/engine/workspace/record-keeper.ts';
import type { Workspace } from '../../../../src/engine/workspace/workspace.ts';
import { afterReset, workspaceFiles } from '../../../../src/engine/workspace/workspace-record.ts';
import { WorkspaceRegistry } from '../../../../src/engine/workspace/workspace-registry.ts';
import { call } from '../../../support/engine.ts';
import { until } from '../../../support/fake.ts';
import { openSilentGuests } from '../../../support/silent-guest.ts';

it.each([
  ['says nothing', () => undefined],
  ['says nothing of how it is', (command: string) => (command === 'qmp_capabilities' ? {} : undefined)],
])('leaves a guest alone that %s while the daemon ends', async (_what, answer) => {
  await using fake = openSilentGuests();
  const guest = await fake.startGuest(answer);
  const workspace = await fake.openWorkspace({ guest: guest.record });
  const ending = new AbortController();
  const adoption = workspace.takeOver(call({ signal: ending.signal }));
  const failed = expect(adoption).rejects.toThrow('the daemon ends');
  await until(() => guest.commands.length === (answer('qmp_capabilities') === undefined ? 1 : 2));
  ending.abort(new Error('the daemon ends'));
  await failed;
  expect(guest.isRunning()).toBe(true);
  expect(workspace.record).toMatchObject({ state: 'started', guest: guest.record });
});

it('leaves a guest alone when this machine, not the guest, is what fails', async () => {
  await using fake = openSilentGuests({ machineFailure: new Error('no QEMU any more') });
  const guest = await fake.startGuest();
  const workspace = await fake.openWorkspace({ guest: guest.record });
  await expect(workspace.takeOver(call())).rejects.toThrow('no QEMU any more');
  expect(guest.isRunning()).toBe(true);
  expect(workspace.record.guest).toEqual(guest.record);
});

it.each([
  ['stopped', (workspace: Workspace, context: WorkspaceCall) => workspace.stop('explicit', context)],
  [
    'frozen in a snapshot',
    (workspace: Workspace, context: WorkspaceCall) =>
      createSnapshot(workspace, { workspace_id: workspace.record.id, snapshot_name: 'one' }, context),
  ],
])('does not pass by a guest that nobody has a session with when it is %s', async (_what, change) => {
  await using fake = openSilentGuests();
  const guest = await fake.startGuest();
  const workspace = await fake.openWorkspace({ guest: guest.record });
  const leaving = new AbortController();
  const failed = expect(change(workspace, call({ signal: leaving.signal }))).rejects.toThrow('the caller leaves');
  await until(() => guest.commands.length === 1);
  leaving.abort(new Error('the caller leaves'));
  await failed;
  expect(guest.isRunning()).toBe(true);
  expect(workspace.record).toMatchObject({ state: 'started', guest: guest.record, snapshots: [] });
});

it('ends a guest that nobody has a session with when its workspace is deleted', async () => {
  await using fake = openSilentGuests();
  const guest = await fake.startGuest();
  const workspace = await fake.openWorkspace({ guest: guest.record });
  await workspace.endForGood();
  expect(guest.isRunning()).toBe(false);
});

it('knows a workspace until it is gone, and deletes it once', async () => {
  await using fake = openSilentGuests();
  const { record } = await fake.openWorkspace();
  const state = join(fake.folder, 's');
  const folder = join(state, 'workspaces', record.id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(workspaceFiles(folder).record, JSON.stringify({ ...record, state: 'stopped' }));
  const paths = { cache: join(state, 'cache'), state, config: join(state, 'c'), runtime: join(state, 'r') };
  await using registry = await WorkspaceRegistry.open(paths);
  // What stands in the way of the removal.
  mkdirSync(join(`${folder}.deleted`, 'full'), { recursive: true });
  await expect(registry.remove(record.id)).rejects.toThrow('ENOTEMPTY');
  expect(registry.get(record.id).record.id).toBe(record.id);
  rmSync(`${folder}.deleted`, { recursive: true });
  const both = await Promise.allSettled([registry.remove(record.id), registry.remove(record.id)]);
  expect(both).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'workspace_unknown' } }]);
  expect(existsSync(folder)).toBe(false);
  expect(registry.all()).toEqual([]);
});

it('is as it was when a reset cannot be written down', async () => {
  await using fake = openSilentGuests();
  const { record, files } = await fake.openWorkspace();
  const { record: guest } = await fake.startGuest();
  const keeper = new RecordKeeper(files, record, fake.resources.reserve);
  mkdirSync(join(files.record, 'in the way'), { recursive: true });
  await expect(keeper.exchange(afterReset(record, 'disk-b.qcow2', null, guest))).rejects.toThrow();
  expect(keeper.record).toEqual({ ...record, last_activity_at: keeper.record.last_activity_at });
});
