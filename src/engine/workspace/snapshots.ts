// Snapshots of a workspace's disk: taken at once, gone back to, deleted, their layers merged while the guest is off.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { layerNamePattern, type WorkspaceRecord } from '../../contract/records.ts';
import type { DiskLayers } from '../../machine/layers.ts';
import type { Guest } from '../../machine/machine.ts';
import { ramFile } from '../../machine/starter.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { findMerge, merged, withoutUnneeded } from '../guests/layers.ts';
import type { SharedResources } from './shared-resources.ts';
import { layerUse, newLayer, nowSeconds, type WorkspaceFiles } from './workspace-record.ts';

export const mostSnapshots = 64;

type RecordChanges = Partial<WorkspaceRecord>;

/** The workspace whose layers these are. */
export interface LayerOwner {
  readonly files: WorkspaceFiles;
  readonly record: WorkspaceRecord;
  readonly update: (changes: RecordChanges) => Promise<void>;
  readonly resources: Pick<SharedResources, 'machine'>;
}

/**
 * Freezes the present layer under a name; what is written from now on goes into a new one. Throws `deadline_exceeded`, and
 * takes none, when the guest has gone on writing meanwhile.
 */
export async function takeSnapshot(
  owner: LayerOwner,
  guest: Pick<Guest, 'addLayer'> | undefined,
  name: string,
  context: CallContext,
): Promise<void> {
  const { files, record } = owner;
  if (name === 'baseline' || record.snapshots.some((each) => each.name === name)) {
    throw new PyroError('snapshot_exists', `there is a snapshot ${name} already`, {
      hint: 'choose another name, or delete that one first',
    });
  }
  if (record.snapshots.length >= mostSnapshots) {
    throw new PyroError('snapshot_limit', `a workspace has at most ${mostSnapshots} snapshots`, {
      hint: 'delete one first',
    });
  }
  const next = newLayer();
  const path = join(files.folder, next);
  if (guest === undefined) {
    const { layers } = await owner.resources.machine(context);
    await layers.create(path, record.disk, record.disk_mib, context.signal);
    await owner.update(await withSnapshot(owner, name, next));
    return;
  }
  const note = async (): Promise<void> => await owner.update(await withSnapshot(owner, name, next));
  if (await guest.addLayer(path, record.disk_mib, note, context.signal)) return;
  // The guest writes the new layer, which stays: only the name is not one of a still disk.
  await owner.update(dropSnapshot(owner.record, name));
  throw new PyroError(
    'deadline_exceeded',
    `the snapshot ${name} was not taken: the guest holds its disk still for 10 s, and it took longer`,
    { hint: 'call again; when it stays so, stop the workspace first: its disk is still then' },
  );
}

async function withSnapshot({ files, record }: LayerOwner, name: string, next: string): Promise<RecordChanges> {
  const { blocks } = await stat(join(files.folder, record.disk));
  const snapshot = { name, layer: record.disk, created_at: nowSeconds(), changed_bytes: blocks * 512 };
  return {
    disk: next,
    layers: { ...record.layers, [next]: record.disk },
    snapshots: [...record.snapshots, snapshot],
  };
}

/** Layer of a snapshot. Throws `snapshot_unknown`. */
export function layerOf(record: WorkspaceRecord, name: string): string {
  const found = record.snapshots.find((each) => each.name === name);
  if (found !== undefined) return found.layer;
  const names = ['baseline', ...record.snapshots.map((each) => each.name)];
  throw new PyroError('snapshot_unknown', `workspace ${record.id} has no snapshot ${JSON.stringify(name)}`, {
    hint: `there are: ${names.join(', ')}`,
    details: { snapshots: names },
  });
}

/** Forgets a name. Layers that only it needed can go, which is the caller's to do once the record is written. */
export function dropSnapshot(record: WorkspaceRecord, name: string): RecordChanges {
  if (name === 'baseline') {
    throw new PyroError('usage', 'baseline is the seed of the workspace and stays', { hint: 'delete the workspace' });
  }
  layerOf(record, name);
  return { snapshots: record.snapshots.filter((each) => each.name !== name) };
}

/** Removes layers that nothing needs any more; first from the record, which must never name what is gone. */
export async function removeUnneeded(owner: LayerOwner): Promise<void> {
  const { layers, unneeded } = withoutUnneeded(layerUse(owner.record));
  await owner.update({ layers });
  for (const name of unneeded) await rm(join(owner.files.folder, name), { force: true });
}

/** Long chains slow a guest down; while it is off they are made short. */
export async function mergeLayers(owner: LayerOwner, tools: DiskLayers, signal: AbortSignal): Promise<void> {
  for (;;) {
    const use = layerUse(owner.record);
    const merge = findMerge(use);
    if (merge === undefined) return;
    await tools.merge(owner.files.folder, merge, signal);
    const { layers, top } = merged(use, merge);
    await owner.update({ layers: { ...layers }, disk: top });
    await rm(join(owner.files.folder, merge.from), { force: true });
  }
}

/** A daemon that was killed in the middle of a snapshot may have left the guest one layer ahead of the record. */
export async function reconcileLayers(owner: LayerOwner, guest: Guest): Promise<void> {
  const { record } = owner;
  const file = await guest.topLayer();
  if (file === record.disk) return;
  if (file in record.layers) throw new PyroError('guest_unreachable', 'QEMU says that it writes a frozen layer');
  await owner.update({ disk: file, layers: { ...record.layers, [file]: record.disk } });
}

/**
 * Removes layers and memory that a daemon which was killed has left behind; takes over the layer that a snapshot was
 * about to use.
 */
export async function sweepLayers(owner: LayerOwner, isGuestGone: boolean, context: CallContext): Promise<void> {
  const { folder } = owner.files;
  for (const name of await readdir(folder)) {
    // The memory of a guest that was booting has lost who would take its name away.
    if (name === ramFile) await rm(join(folder, name), { force: true });
    const { disk, layers } = owner.record;
    if (!layerNamePattern.test(name) || name in layers) continue;
    // The guest may have gone on writing into it before it ended, too.
    const { layers: tools } = isGuestGone ? await owner.resources.machine(context) : {};
    const isNext = (await tools?.below(join(folder, name))) === disk;
    if (isNext) await owner.update({ disk: name, layers: { ...layers, [name]: disk } });
    else await rm(join(folder, name), { force: true });
  }
}
