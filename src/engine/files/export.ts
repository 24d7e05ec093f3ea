// Files of a workspace to a folder, an archive or a patch on the host.
import { basename, dirname, join } from 'node:path';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { ExportInput, ExportOutput } from '../../contract/changes.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { guestPath, workspacePath } from '../workspace/guest-places.ts';
import { noteBroughtHome } from '../workspace/unsaved-work.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { noteEvent } from '../workspace/workspace-secrets.ts';
import { exportJob } from './export-job.ts';
import { belowWorkspace } from './files.ts';

/** With `isMerge` it goes into what is there, as a copy does; a link in its place is replaced, not followed. */
export async function exportWorkspace(
  workspace: Workspace,
  input: ExportInput,
  call: WorkspaceCall,
  isMerge = false,
): Promise<ExportOutput> {
  const outputPath = await placeOf(input.output_path, isMerge, call);
  return await workspace.use(call, async ({ guest }) => {
    const path = guestPath(input.path);
    const { format } = input;
    const watched = format === 'patch' ? belowWorkspace(path) : '';
    const plan = {
      guestPath: path,
      outputPath,
      isOverwrite: input.overwrite,
      isMerge,
      hasGit: input.include_git,
      hasIgnored: input.include_ignored,
      format,
      journal: workspace.files.drafts,
    };
    const written = await runJob(workspace, exportJob, { plan, watched }, { guests: [guest.client], context: call });
    await noteEvent(workspace, 'export', outputPath);
    const what = `${path} to ${outputPath} as ${format}`;
    const size = { files: written.entry_count, bytes: written.bytes_written };
    await workspace.audit.note({ kind: 'export', direction: 'out', what, ...size });
    if (path === workspacePath) await noteBroughtHome(workspace, guest.client, call);
    return {
      workspace_id: workspace.record.id,
      workspace_path: path,
      output_path: written.output_path,
      format,
      artifact_type: written.artifact_type,
      entry_count: written.entry_count,
      bytes_written: written.bytes_written,
      skipped: written.skipped.map((each) => ({ path: each.path, status: each.reason })),
      ignored: written.ignored,
      execution_mode: 'guest',
    };
  });
}

/** A copy replaces a link that stands in its place; for anything else the link is followed and judged. */
async function placeOf(outputPath: string, isMerge: boolean, { hostPaths }: WorkspaceCall): Promise<string> {
  if (!isMerge || basename(outputPath) === '') return await permitHostPath(outputPath, hostPaths);
  return join(await permitHostPath(dirname(outputPath), hostPaths), basename(outputPath));
}
