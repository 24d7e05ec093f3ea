// What listings and readings of files look like, from a running guest or from a disk.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import type { CommandText } from './define.ts';

export const pathField = z.string().min(1).max(4096).describe('Path in the guest; relative ones are under /workspace');

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

export function renderFileList({ path, entries, next_cursor }: z.infer<typeof fileListOutput>): string {
  const rows = entries.map((entry) => [
    entry.artifact_type,
    entry.mode,
    String(entry.size_bytes),
    entry.link_target === null ? entry.path : `${entry.path} -> ${entry.link_target}`,
  ]);
  const more = next_cursor === null ? '' : `more: cursor ${JSON.stringify(next_cursor)}\n`;
  return rows.length === 0
    ? `nothing in ${path}\n`
    : `${formatTable([['TYPE', 'MODE', 'BYTES', 'PATH'], ...rows])}\n${more}`;
}

export function renderFileCommand(output: z.infer<typeof fileReadOutput>): CommandText {
  return {
    stdout: Buffer.from(output.content, output.encoding === 'base64' ? 'base64' : 'utf8'),
    ...(output.truncated
      ? { stderr: `[file] ${output.size_bytes} bytes in all; go on with --offset ${output.next_offset}\n` }
      : {}),
  };
}
