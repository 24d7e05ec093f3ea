// What listings and readings of files look like, from a running guest or from a disk.

import type { z } from 'zod';
import type { fileListOutput, fileReadOutput } from '../contract/files.ts';
import { formatTable } from '../shared/table.ts';
import type { CommandText } from './define.ts';

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
    isContent: true,
    stdout: Buffer.from(output.content, output.encoding === 'base64' ? 'base64' : 'utf8'),
    ...(output.truncated
      ? { stderr: `[file] ${output.size_bytes} bytes in all; continue with --offset ${output.next_offset}\n` }
      : {}),
  };
}
