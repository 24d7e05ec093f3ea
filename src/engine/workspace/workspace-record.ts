// The record of a workspace on disk: written whole by its one owner, checked whenever it is read.

import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { type RunningGuest, type WorkspaceRecord, workspaceRecordSchema } from '../../contract/records.ts';
import { readJson, writeJson } from '../../system/files.ts';
import { baseDiskName, type LayerUse } from '../guests/layers.ts';
import { auditFolder } from '../output/audit.ts';

/** Files of a workspace's folder; it holds all that the workspace needs, so nothing else may take that away. */
export interface WorkspaceFiles {
  readonly folder: string;
  readonly record: string;
  /** Squashfs image of the environment, a hard link */
  readonly rootImage: string;
  /** Frozen disk of the template, a hard link; disks name it relative to themselves */
  readonly baseDisk: string;
  /** Image of the project, a hard link; absent without one */
  readonly projectImage: string;
  readonly messages: string;
  readonly commands: string;
  readonly shells: string;
  readonly services: string;
  readonly events: string;
  readonly scratch: string;
  /** Notes on what is being written at places of the host */
  readonly drafts: string;
  /** Log of connections */
  readonly network: string;
  /** What crossed the boundary; it stays when the workspace is deleted */
  readonly audit: string;
}

export function workspaceFiles(folder: string): WorkspaceFiles {
  return {
    folder,
    record: join(folder, 'workspace.json'),
    rootImage: join(folder, 'root.squashfs'),
    baseDisk: join(folder, baseDiskName),
    projectImage: join(folder, 'project.squashfs'),
    messages: join(folder, 'qemu.log'),
    commands: join(folder, 'commands'),
    shells: join(folder, 'shells'),
    services: join(folder, 'services'),
    events: join(folder, 'events.jsonl'),
    scratch: join(folder, 'scratch'),
    drafts: join(folder, 'drafts'),
    network: join(folder, 'network.jsonl'),
    audit: join(auditFolder(dirname(dirname(folder))), `${basename(folder)}.jsonl`),
  };
}

/** The record, or undefined where none was written yet. Throws `state_damaged`. */
export async function readRecord(files: WorkspaceFiles): Promise<WorkspaceRecord | undefined> {
  return await readJson(files.record, workspaceRecordSchema);
}

export async function writeRecord(files: WorkspaceFiles, record: WorkspaceRecord): Promise<void> {
  await writeJson(files.record, record);
}

/** Name for a new layer. */
export function newLayer(): string {
  return `disk-${randomBytes(6).toString('hex')}.qcow2`;
}

export function layerUse({ layers, disk, disk_mib: sizeMib, snapshots }: WorkspaceRecord): LayerUse {
  return { layers, sizeMib, top: disk, kept: snapshots.map(({ layer }) => layer) };
}

type Untouched =
  | 'state'
  | 'stop_reason'
  | 'stop_detail'
  | 'guest'
  | 'disk'
  | 'layers'
  | 'snapshots'
  | 'command_count'
  | 'last_command'
  | 'reset_count'
  | 'last_reset_at'
  | 'changes'
  | 'brought_digest'
  | 'note';

/** What the record of every new workspace says alike: nothing has been done in it. */
export function untouchedOn(disk: string): Pick<WorkspaceRecord, Untouched> {
  return {
    state: 'started',
    stop_reason: null,
    stop_detail: null,
    guest: null,
    disk,
    layers: { [disk]: null },
    snapshots: [],
    command_count: 0,
    last_command: null,
    reset_count: 0,
    last_reset_at: null,
    changes: null,
    brought_digest: null,
    note: null,
  };
}

/** What a reset changes: another layer on top, another guest. */
export function afterReset(
  record: WorkspaceRecord,
  disk: string,
  below: string | null,
  guest: RunningGuest,
): Partial<WorkspaceRecord> {
  return {
    disk,
    layers: { ...record.layers, [disk]: below },
    guest,
    state: 'started',
    stop_reason: null,
    stop_detail: null,
    reset_count: record.reset_count + 1,
    last_reset_at: nowSeconds(),
    last_activity_at: nowSeconds(),
  };
}

/** What {@link afterReset} changes, as it stands. */
export function resettable(record: WorkspaceRecord): Partial<WorkspaceRecord> {
  const { disk, layers, guest, state, stop_reason, stop_detail, reset_count, last_reset_at } = record;
  return { disk, layers, guest, state, stop_reason, stop_detail, reset_count, last_reset_at };
}

export function nowSeconds(): number {
  return Date.now() / 1000;
}
