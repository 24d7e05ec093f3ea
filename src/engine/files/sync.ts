// Newer files from the host brought into a workspace: only differences are sent, all of a call or nothing.
import type { WorkspaceCall } from '../../contract/call.ts';
import type { SyncPushInput, SyncPushOutput } from '../../contract/changes.ts';
import type { LeftOutCounts } from '../../project/project-types.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { noteEvent } from '../workspace/workspace-secrets.ts';
import { syncJob } from './sync-job.ts';

/** A push of a path that is permitted; the last three are those of a copy. */
export interface PushRequest extends Omit<SyncPushInput, 'workspace_id'> {
  /** True for everything in a folder, and for an archive as a plain file */
  readonly isWhole: boolean;
  /** Name in the guest of a single file; its own unless given */
  readonly name: string | undefined;
  /** True when the destination gets the mode of the folder itself */
  readonly hasTop: boolean;
}

export type PushOutput = SyncPushOutput & { readonly left_out: LeftOutCounts };

export async function pushFiles(
  workspace: Workspace,
  input: SyncPushInput,
  call: WorkspaceCall,
): Promise<SyncPushOutput> {
  const source = await permitHostPath(input.source_path, call.hostPaths);
  const { left_out: _, ...result } = await pushFrom(
    workspace,
    { ...input, source_path: source, isWhole: false, name: undefined, hasTop: false },
    call,
  );
  return result;
}

export async function pushFrom(workspace: Workspace, request: PushRequest, call: WorkspaceCall): Promise<PushOutput> {
  const { source_path, isWhole, name, hasTop, dry_run, delete: deletes } = request;
  const input = {
    source: source_path,
    isWhole,
    name,
    hasTop,
    isDryRun: dry_run,
    deletes,
    destination: guestPath(request.dest),
  };
  call.onProgress({ phase: 'sync', message: 'reading the source' });
  return await workspace.use(call, async ({ guest }) => {
    const { left_out, ...sync } = await runJob(workspace, syncJob, input, { guests: [guest.client], context: call });
    if (!dry_run && sync.written_count + sync.deleted_count > 0) {
      await noteEvent(workspace, 'sync', `${sync.written_count} written, ${sync.deleted_count} deleted`);
      const what = `${source_path} to ${input.destination}`;
      const size = { files: sync.written_count, bytes: sync.bytes_written };
      await workspace.audit.note({ kind: 'sync', direction: 'in', what, ...size });
    }
    return { workspace_id: workspace.record.id, execution_mode: 'guest', workspace_sync: sync, left_out };
  });
}
