// The record of a shell on disk, and the shell as users see it.
import type { ShellRecord } from '../../contract/records.ts';
import type { ShellView } from '../../contract/shells.ts';

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
