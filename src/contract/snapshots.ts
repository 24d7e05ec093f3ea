// Snapshots of a workspace and the disk of a stopped one: what goes in and what comes out.

import { z } from 'zod';
import { pathField } from './files.ts';
import { workspaceIdField } from './workspaces.ts';

export const nameField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a snapshot name has 1 to 64 letters, digits, dots, hyphens, underscores')
  .describe('Name of the snapshot');

export const snapshotSchema = z.object({
  workspace_id: z.string(),
  snapshot_name: z.string(),
  kind: z.enum(['baseline', 'named']),
  created_at: z.number(),
  changed_bytes: z.number().describe('What its own layer holds'),
  deletable: z.boolean(),
});

export type SnapshotView = z.output<typeof snapshotSchema>;

export const snapshotCreateInput = z.strictObject({ workspace_id: workspaceIdField, snapshot_name: nameField });
export type SnapshotCreateInput = z.output<typeof snapshotCreateInput>;

export const snapshotCreateOutput = z.object({
  workspace_id: z.string(),
  snapshot: snapshotSchema,
  execution_mode: z.literal('guest'),
});
export type SnapshotCreateOutput = z.output<typeof snapshotCreateOutput>;

export const snapshotListInput = z.strictObject({ workspace_id: workspaceIdField });
export type SnapshotListInput = z.output<typeof snapshotListInput>;

export const snapshotListOutput = z.object({
  workspace_id: z.string(),
  count: z.number(),
  snapshots: z.array(snapshotSchema),
});
export type SnapshotListOutput = z.output<typeof snapshotListOutput>;

export const snapshotDeleteInput = z.strictObject({ workspace_id: workspaceIdField, snapshot_name: nameField });
export type SnapshotDeleteInput = z.output<typeof snapshotDeleteInput>;

export const snapshotDeleteOutput = z.object({
  workspace_id: z.string(),
  snapshot_name: z.string(),
  deleted: z.boolean(),
});
export type SnapshotDeleteOutput = z.output<typeof snapshotDeleteOutput>;

export const diskListInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: pathField.default('/workspace'),
  recursive: z.boolean().default(false).describe('List everything below'),
  limit: z.number().int().min(1).max(10_000).default(100).describe('Most entries in the result'),
  cursor: z.string().optional().describe('next_cursor of the previous call'),
});
export type DiskListInput = z.output<typeof diskListInput>;

export const diskReadInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: pathField,
  max_bytes: z.number().int().min(1).max(1_048_576).default(65_536).describe('Most bytes in the result'),
  offset: z.number().int().min(0).optional().describe('First byte to read'),
});
export type DiskReadInput = z.output<typeof diskReadInput>;

export const diskExportInput = z.strictObject({
  workspace_id: workspaceIdField,
  output_path: z.string().min(1).max(4096).describe('Path on the host'),
  format: z.enum(['raw', 'qcow2', 'tar']).default('qcow2').describe('What is written'),
  path: pathField.default('/workspace').describe('Tree in the guest, for tar'),
  overwrite: z.boolean().default(false).describe('Overwrite output_path'),
  include_secrets: z
    .boolean()
    .default(false)
    .describe('Write the disk of a workspace that has secrets, with what it may hold of them'),
});
export type DiskExportInput = z.output<typeof diskExportInput>;

export const diskExportOutput = z.object({
  workspace_id: z.string(),
  output_path: z.string(),
  disk_format: z.string(),
  bytes_written: z.number(),
});
export type DiskExportOutput = z.output<typeof diskExportOutput>;
