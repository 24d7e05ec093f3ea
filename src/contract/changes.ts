// Changes of a workspace, in both directions: what goes in and what comes out.

import { z } from 'zod';
import { lastCommandSchema, workspaceIdField } from './workspaces.ts';

export const entrySchema = z.object({ path: z.string(), status: z.string() });

export type PatchEntry = z.output<typeof entrySchema>;

export const countsSchema = z.record(z.string(), z.number());

export const diffEntrySchema = z.object({
  path: z.string(),
  status: z.string(),
  artifact_type: z.string(),
  old_path: z.string().nullable(),
  old_mode: z.string().nullable(),
  new_mode: z.string().nullable(),
  additions: z.number().nullable(),
  deletions: z.number().nullable(),
  is_binary: z.boolean(),
  left_out_bytes: z.number().nullable().describe('Size of a file too large to compare'),
});

export const ignoredSchema = z
  .object({ files: z.number(), bytes: z.number() })
  .describe("New files left out by the project's ignore rules");

export const includeIgnoredField = z.boolean().default(false).describe('Also new files that Git ignores');

export const patchApplyInput = z.strictObject({
  workspace_id: workspaceIdField,
  patch: z.string().min(1).max(25_165_824).describe('The diff, or *** Begin Patch … *** End Patch'),
});
export type PatchApplyInput = z.output<typeof patchApplyInput>;

export const patchApplyOutput = z.object({
  workspace_id: z.string(),
  changed: z.boolean(),
  summary: countsSchema,
  entries: z.array(entrySchema),
  execution_mode: z.literal('guest'),
});
export type PatchApplyOutput = z.output<typeof patchApplyOutput>;

export const diffInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: z.string().min(1).max(4096).optional().describe('Only this file or folder'),
  base: z.string().min(1).max(64).default('baseline').describe('State to compare with: baseline or a snapshot'),
  stat_only: z.boolean().default(false).describe('Only the list of changes, no patch'),
  system: z.boolean().default(false).describe('Also list changes outside /workspace'),
  include_ignored: includeIgnoredField,
  max_file_bytes: z
    .number()
    .int()
    .min(0)
    .default(1_048_576)
    .describe('Largest file shown in the patch, bytes; 0 for no limit'),
  cursor: z.string().max(64).optional().describe('next_cursor of the previous call'),
  max_bytes: z.number().int().min(0).max(16_777_216).default(7000).describe('Most bytes of the patch'),
  entry_limit: z.number().int().min(1).max(100_000).default(60).describe('Most entries in the list'),
});
export type DiffInput = z.output<typeof diffInput>;

export const diffOutput = z.object({
  workspace_id: z.string(),
  base: z.string(),
  changed: z.boolean(),
  summary: countsSchema,
  entries: z.array(diffEntrySchema),
  entries_truncated: z.boolean(),
  patch: z.string(),
  patch_bytes: z.number(),
  next_cursor: z.string().nullable(),
  ignored: ignoredSchema,
  left_out: z.array(z.object({ path: z.string(), reason: z.string() })).describe('Not in the patch'),
  left_out_count: z.number(),
  system_changes: z.array(entrySchema).nullable(),
});
export type DiffOutput = z.output<typeof diffOutput>;

export const exportInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: z.string().min(1).max(4096).default('/workspace').describe('File or folder in the guest'),
  output_path: z.string().min(1).max(4096).describe('Path on the host'),
  format: z.enum(['files', 'tar', 'patch']).default('files').describe('What is written'),
  overwrite: z.boolean().default(false).describe('Overwrite output_path'),
  include_git: z.boolean().default(false).describe('Include .git'),
  include_ignored: includeIgnoredField,
});
export type ExportInput = z.output<typeof exportInput>;

export const exportOutput = z.object({
  workspace_id: z.string(),
  workspace_path: z.string(),
  output_path: z.string(),
  format: z.string(),
  artifact_type: z.enum(['file', 'directory', 'symlink']),
  entry_count: z.number(),
  bytes_written: z.number(),
  skipped: z.array(entrySchema).describe('Entries that the host cannot hold, with the reason'),
  ignored: ignoredSchema,
  execution_mode: z.literal('guest'),
});
export type ExportOutput = z.output<typeof exportOutput>;

export const syncPushInput = z.strictObject({
  workspace_id: workspaceIdField,
  source_path: z.string().min(1).max(4096).describe('File, folder, checkout or tar archive on the host'),
  dest: z.string().min(1).max(4096).default('/workspace').describe('Folder in the guest'),
  delete: z.boolean().default(false).describe('Remove what the source does not have'),
  dry_run: z.boolean().default(false).describe('Only show what would change'),
});
export type SyncPushInput = z.output<typeof syncPushInput>;

export const syncPushOutput = z.object({
  workspace_id: z.string(),
  execution_mode: z.literal('guest'),
  workspace_sync: z.object({
    mode: z.string(),
    source_path: z.string(),
    destination: z.string(),
    entry_count: z.number(),
    written_count: z.number(),
    deleted_count: z.number(),
    bytes_written: z.number(),
    dry_run: z.boolean(),
    changes: z.array(entrySchema),
    changes_truncated: z.boolean(),
  }),
});
export type SyncPushOutput = z.output<typeof syncPushOutput>;

export const applyInput = z.strictObject({
  workspace_id: workspaceIdField,
  check: z.boolean().default(false).describe('Show what would be done, and do nothing'),
  '3way': z.boolean().default(false).describe('Merge files changed on both sides'),
  path: z.string().min(1).max(4096).optional().describe('Only this file or folder of /workspace'),
  to: z.string().min(1).max(4096).optional().describe('Folder to apply to; default the seed checkout'),
  include_ignored: z.boolean().default(false).describe('Also new files that Git ignores'),
});
export type ApplyInput = z.output<typeof applyInput>;

export const applyOutput = z.object({
  workspace_id: z.string(),
  target_path: z.string(),
  checked_only: z.boolean(),
  changes: z.array(z.object({ path: z.string(), status: z.string() })),
  changes_truncated: z.boolean(),
  changed_count: z.number(),
  conflict_count: z.number().describe('Files with conflict markers'),
  already_count: z.number().describe('Files that already were as in the workspace'),
  additions: z.number(),
  deletions: z.number(),
  ignored: ignoredSchema,
  left_out: z.array(z.object({ path: z.string(), reason: z.string() })),
});
export type ApplyOutput = z.output<typeof applyOutput>;

export const summaryInput = z.strictObject({
  workspace_id: workspaceIdField,
  format: z.enum(['json', 'markdown']).default('markdown').describe('Format of the text'),
});
export type SummaryInput = z.output<typeof summaryInput>;

export const summaryOutput = z.object({
  workspace_id: z.string(),
  name: z.string().nullable(),
  since: z.number(),
  outcome: z.string(),
  commands: z.array(lastCommandSchema),
  command_count: z.number(),
  failed_count: z.number(),
  files: z.array(diffEntrySchema),
  file_count: z.number(),
  additions: z.number(),
  deletions: z.number(),
  ignored: ignoredSchema,
  left_out: z.array(z.object({ path: z.string(), reason: z.string() })),
  exports: z.array(z.string()),
  snapshots: z.array(z.string()),
  resets: z.number(),
  denied_connections: z.array(z.object({ target: z.string(), reason: z.string(), count: z.number() })),
  markdown: z.string(),
  format: z.enum(['json', 'markdown']),
});
export type SummaryOutput = z.output<typeof summaryOutput>;
