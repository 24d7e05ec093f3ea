// The record of a workspace on disk: written whole by its one owner, checked whenever it is read.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { keptFields, lastCommandSchema, seedSchema } from '../../contract/workspaces.ts';
import { type RunningGuest, runningGuestSchema } from '../../machine/machine.ts';
import { networkGrantSchema } from '../../network/policy.ts';
import { packageSourceKinds } from '../../shared/policy-types.ts';
import { readJson, writeJson } from '../../system/files.ts';
import type { LayerUse } from '../guests/layers.ts';

export const workspaceIdSchema = z.string().regex(/^[0-9a-f]{12}$/);

const changeCountsSchema = z.object({
  files: z.number(),
  additions: z.number(),
  deletions: z.number(),
  digest: z.string(),
});
export type ChangeCounts = z.infer<typeof changeCountsSchema>;

/** File names of layers of the disk */
export const layerNamePattern = /^disk-[a-z0-9]{1,40}\.qcow2$/;
const layerSchema = z.string().regex(layerNamePattern);

export const workspaceRecordSchema = z.object({
  version: z.literal(1),
  id: workspaceIdSchema,
  name: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  environment: z.string(),
  environment_digest: z.string(),
  image: z.object({ env: z.array(z.string()), working_dir: z.string(), user: z.string() }),
  ...keptFields,
  /** Times are `s` since 1970 */
  created_at: z.number(),
  last_activity_at: z.number(),
  secrets: z.array(z.object({ name: z.string(), source_kind: z.enum(['literal', 'file']) })),
  network_policy: z.enum(['off', 'egress', 'egress+published-ports']),
  network_grant: networkGrantSchema,
  package_sources: z.enum(packageSourceKinds).default('none'),
  seed: seedSchema,
  has_project: z.boolean(),
  state: z.enum(['started', 'stopped']),
  /** `idle`, `crash` and `host` start again by themselves, `explicit` does not */
  stop_reason: z.enum(['idle', 'crash', 'host', 'explicit']).nullable(),
  guest: runningGuestSchema.nullable(),
  /** File name of the layer of the disk that is written */
  disk: layerSchema,
  /** Each layer and the one below it; null is the template's frozen disk */
  layers: z.record(layerSchema, layerSchema.nullable()),
  snapshots: z.array(
    z.object({ name: z.string(), layer: layerSchema, created_at: z.number(), changed_bytes: z.number() }),
  ),
  command_count: z.number(),
  last_command: lastCommandSchema.nullable(),
  reset_count: z.number(),
  last_reset_at: z.number().nullable(),
  /** What had changed since the seed when it was stopped; null while it runs, and where nobody could tell */
  changes: changeCountsSchema.nullable().default(null),
  /** Digest of the changes that were brought home whole, by apply or export */
  brought_digest: z.string().nullable().default(null),
});
export type WorkspaceRecord = z.infer<typeof workspaceRecordSchema>;

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
  /** Log of connections */
  readonly network: string;
}

export function workspaceFiles(folder: string): WorkspaceFiles {
  return {
    folder,
    record: join(folder, 'workspace.json'),
    rootImage: join(folder, 'root.squashfs'),
    baseDisk: join(folder, 'base.qcow2'),
    projectImage: join(folder, 'project.squashfs'),
    messages: join(folder, 'qemu.log'),
    commands: join(folder, 'commands'),
    shells: join(folder, 'shells'),
    services: join(folder, 'services'),
    events: join(folder, 'events.jsonl'),
    scratch: join(folder, 'scratch'),
    network: join(folder, 'network.jsonl'),
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

export function layerUse({ layers, disk, snapshots }: WorkspaceRecord): LayerUse {
  return { layers, top: disk, kept: snapshots.map(({ layer }) => layer) };
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
    reset_count: record.reset_count + 1,
    last_reset_at: nowSeconds(),
    last_activity_at: nowSeconds(),
  };
}

/** What {@link afterReset} changes, as it stands. */
export function resettable(record: WorkspaceRecord): Partial<WorkspaceRecord> {
  const { disk, layers, guest, state, stop_reason, reset_count, last_reset_at } = record;
  return { disk, layers, guest, state, stop_reason, reset_count, last_reset_at };
}

export function nowSeconds(): number {
  return Date.now() / 1000;
}
