// The record of a shell on disk, and the shell as users see it.
import { z } from 'zod';
import type { ShellView } from '../../contract/shells.ts';

export const shellIdSchema = z.string().regex(/^[0-9a-f]{12}$/);

export const shellRecordSchema = z.object({
  version: z.literal(1),
  id: shellIdSchema,
  /** Process id on the guest's channel */
  process: z.string(),
  program: z.string(),
  cwd: z.string(),
  /** Sizes of the terminal, each with the offset of the stream from which it holds; the last holds now */
  sizes: z.array(z.object({ at: z.number(), cols: z.number(), rows: z.number() })).min(1),
  /** Times are `s` since 1970 */
  started_at: z.number(),
  ended_at: z.number().nullable(),
  exit_code: z.number().nullable(),
  lost: z.boolean(),
});
export type ShellRecord = z.infer<typeof shellRecordSchema>;

export function viewOfShell(workspaceId: string, record: ShellRecord, outputBytes: number): ShellView {
  const size = record.sizes.at(-1);
  return {
    workspace_id: workspaceId,
    shell_id: record.id,
    program: record.program,
    cwd: record.cwd,
    cols: size?.cols ?? 0,
    rows: size?.rows ?? 0,
    state: record.ended_at === null ? 'running' : 'stopped',
    started_at: record.started_at,
    ended_at: record.ended_at,
    exit_code: record.exit_code,
    lost: record.lost,
    output_bytes: outputBytes,
    execution_mode: 'guest',
  };
}
