// Files of a workspace: what goes in and what comes out.

import { z } from 'zod';
import { editsField } from './word-forms.ts';
import { workspaceIdField } from './workspaces.ts';

/** As deep as a list of files goes */
export const mostLevels = 100;

export const placeField = z.string().min(1).max(4096);

export const pathField = z.string().min(1).max(4096).describe('Path in the guest, relative to /workspace');

export const fileListOutput = z.object({
  workspace_id: z.string(),
  path: z.string(),
  recursive: z.boolean(),
  entries: z.array(
    z.object({
      path: z.string(),
      artifact_type: z.enum(['file', 'directory', 'symlink', 'other']),
      size_bytes: z.number(),
      mode: z.string(),
      modified_at: z.number(),
      link_target: z.string().nullable(),
    }),
  ),
  next_cursor: z.string().nullable(),
  execution_mode: z.literal('guest'),
});

export type FileListOutput = z.output<typeof fileListOutput>;

export const fileReadOutput = z.object({
  workspace_id: z.string(),
  path: z.string(),
  size_bytes: z.number(),
  max_bytes: z.number(),
  offset: z.number(),
  next_offset: z.number().nullable(),
  first_line: z.number().nullable(),
  encoding: z.enum(['utf-8', 'base64']),
  content: z.string(),
  truncated: z.boolean(),
  mode: z.string(),
  execution_mode: z.literal('guest'),
});

export type FileReadOutput = z.output<typeof fileReadOutput>;

export const fileListInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: pathField.default('/workspace'),
  recursive: z.boolean().default(false).describe('List everything below'),
  depth: z
    .number()
    .int()
    .min(1)
    .max(mostLevels)
    .optional()
    .describe('Levels below the path; default as the glob needs, else 1'),
  glob: z.string().min(1).max(512).optional().describe('Only paths that match, such as *.ts or src/**'),
  limit: z.number().int().min(1).max(10_000).default(100).describe('Most entries in the result'),
  cursor: z.string().optional().describe('next_cursor of the previous call'),
});
export type FileListInput = z.output<typeof fileListInput>;

export const fileReadInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: pathField,
  max_bytes: z.number().int().min(1).max(1_048_576).default(65_536).describe('Most bytes in the result'),
  offset: z.number().int().min(0).optional().describe('First byte to read'),
  start_line: z.number().int().min(1).optional().describe('First line to read, from 1'),
  end_line: z.number().int().min(1).optional().describe('Last line to read'),
});
export type FileReadInput = z.output<typeof fileReadInput>;

export const fileWriteInput = z.strictObject({
  workspace_id: workspaceIdField,
  path: pathField,
  text: z.string().max(10_485_760).optional().describe('Content as text'),
  content_base64: z.base64().max(13_981_016).optional().describe('Content as base64, for binary data'),
  append: z.boolean().default(false).describe('Append to the file'),
  mode: z
    .string()
    .regex(/^[0-7]{3,4}$/, 'mode has three or four octal digits, such as 755')
    .optional()
    .describe('Permission bits, octal; by default an existing file keeps its own'),
  old_text: z.string().min(1).optional().describe('Text to replace; needs new_text'),
  new_text: z.string().optional().describe('Replacement text'),
  expected_count: z.number().int().min(1).max(10_000).default(1).describe('How often old_text must occur'),
  replace_all: z.boolean().default(false).describe('Replace every occurrence of old_text'),
  edits: editsField,
});
export type FileWriteInput = z.output<typeof fileWriteInput>;

export const fileWriteOutput = z.object({
  workspace_id: z.string(),
  path: z.string(),
  size_bytes: z.number(),
  bytes_written: z.number(),
  replaced_count: z.number().nullable(),
  created: z.boolean(),
  execution_mode: z.literal('guest'),
});
export type FileWriteOutput = z.output<typeof fileWriteOutput>;

export const copyInput = z.strictObject({
  workspace_id: workspaceIdField,
  source: placeField.describe('Source: ID:path in a workspace, a path here, or -'),
  target: placeField.describe('Target: ID:path in a workspace, a path here, or -'),
});
export type CopyInput = z.output<typeof copyInput>;

export const copyOutput = z.object({
  workspace_id: z.string(),
  source: z.string(),
  target: z.string().describe('Where it is now'),
  artifact_type: z.enum(['file', 'directory', 'symlink']),
  entry_count: z.number(),
  written_count: z.number().describe('Entries that were new or different'),
  bytes_written: z.number(),
  skipped: z.array(z.object({ path: z.string(), status: z.string() })).describe('What was left out, with the reason'),
});
export type CopyOutput = z.output<typeof copyOutput>;

/** Stands for standard input or output */
export const streamPlace = '-';

/** The path in the guest, with what stands at its end; undefined for a place of the host. */
export function guestPlace(place: string): string | undefined {
  return place.startsWith(':') ? place.slice(1) : undefined;
}
