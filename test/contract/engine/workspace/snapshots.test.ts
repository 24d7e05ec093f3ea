// Snapshots of a disk whose guest may not hold still as long as it takes.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type LayerOwner, takeSnapshot } from '../../../../src/engine/workspace/snapshots.ts';
import { workspaceFiles } from '../../../../src/engine/workspace/workspace-record.ts';
import { noConfinement } from '../../../../src/machine/confinement.ts';
import { pushLayer } from '../../../../src/machine/layers.ts';
import type { Guest } from '../../../../src/machine/machine.ts';
import { runCommand } from '../../../../src/system/command.ts';
import { plainRecord } from '../../../support/silent-guest.ts';

const context = { signal: new AbortController().signal, onProgress: () => undefined };

async function makeOwner(): Promise<LayerOwner> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-snapshot-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  let record = plainRecord('0123456789ab');
  await runCommand('qemu-img', ['create', '-q', '-f', 'qcow2', join(folder, record.disk), `${record.disk_mib}M`]);
  return {
    files: workspaceFiles(folder),
    get record() {
      return record;
    },
    resources: { machine: () => Promise.reject(new Error('no machine is needed')) },
    update: async (changes) => {
      record = { ...record, ...changes };
    },
  };
}

/** A guest that writes the disk of its owner, and answers this when it is to go on. */
function makeGuest(owner: LayerOwner, thaw: () => Promise<{ wasFrozen: boolean }>) {
  const calls: string[] = [];
  const file = join(owner.files.folder, owner.record.disk);
  const client = {
    freeze: async () => void calls.push('freeze'),
    thaw: () => {
      calls.push('thaw');
      return thaw();
    },
  };
  const qmp = {
    execute: async (command: string) => {
      calls.push(command);
      return command === 'query-block' ? [{ qdev: '/machine/vs', inserted: { 'node-name': 's0', file } }] : {};
    },
  };
  const addLayer: Guest['addLayer'] = (...request) =>
    pushLayer({ client, qmp, confinement: noConfinement('a test'), show: async (layer) => layer }, ...request);
  return { calls, addLayer };
}

it('a snapshot of a disk that was still until it was noted is taken', async () => {
  const owner = await makeOwner();
  const guest = makeGuest(owner, async () => ({ wasFrozen: true }));
  await takeSnapshot(owner, guest, 'good', context);
  expect(guest.calls).toEqual(['freeze', 'query-block', 'blockdev-snapshot-sync', 'thaw']);
  expect(owner.record.snapshots).toMatchObject([{ name: 'good', layer: 'disk-a.qcow2' }]);
});

it.each([
  ['says that it has gone on', async () => ({ wasFrozen: false })],
  ['no longer answers', () => Promise.reject(new Error('gone'))],
])('none is left of a guest that %s, and its disk goes on in the new layer', async (_what, thaw) => {
  const owner = await makeOwner();
  const taken = takeSnapshot(owner, makeGuest(owner, thaw), 'torn', context);
  await expect(taken).rejects.toMatchObject({ code: 'deadline_exceeded', message: expect.stringContaining('torn') });
  const { snapshots, disk, layers } = owner.record;
  expect(snapshots).toEqual([]);
  expect(layers).toEqual({ 'disk-a.qcow2': null, [disk]: 'disk-a.qcow2' });
  expect(existsSync(join(owner.files.folder, disk))).toBe(true);
});
