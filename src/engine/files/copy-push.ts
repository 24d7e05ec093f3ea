// A copy into the guest: files of this machine go there, and the result describes them.

import type { WorkspaceCall } from '../../contract/call.ts';
import type { CopyOutput } from '../../contract/files.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { formatCount } from '../../shared/units.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { pushFrom } from './sync.ts';

export interface Push {
  readonly source_path: string;
  readonly dest: string;
  readonly name: string | undefined;
  readonly hasTop: boolean;
}

export async function pushCopy(
  workspace: Workspace,
  request: Push,
  { source, target, isFolder }: { readonly source: string; readonly target: string; readonly isFolder: boolean },
  call: WorkspaceCall,
): Promise<CopyOutput> {
  const { workspace_sync: sync, left_out: leftOut } = await pushFrom(
    workspace,
    { ...request, isWhole: true, delete: false, dry_run: false },
    call,
  ).catch((error: unknown) => {
    throw withNextStep(error);
  });
  const skipped = [
    ...(leftOut.git_folders > 0 ? [{ path: '.git', status: gitStatus(leftOut.git_folders) }] : []),
    ...(leftOut.special > 0
      ? [
          {
            path: source,
            status: `${formatCount(leftOut.special, 'device, socket or pipe', 'devices, sockets or pipes')} in it`,
          },
        ]
      : []),
  ];
  return {
    ...copied(workspace, source, target, sync.bytes_written),
    artifact_type: isFolder ? 'directory' : 'file',
    entry_count: sync.entry_count,
    written_count: sync.written_count,
    skipped,
  };
}

function gitStatus(count: number): string {
  return `Git's own folders are not copied (${count})`;
}

/** If the guest refuses it or cannot hold it, nothing was put in place. */
function withNextStep(error: unknown): unknown {
  if (isPyroError(error, 'is_a_directory', 'not_a_directory', 'not_a_file')) {
    return new PyroError(error.code, error.message, {
      hint: 'nothing was copied; remove what is there first, or copy to another path',
      details: error.details,
      cause: error,
    });
  }
  // The disk of this machine, since no guest reported it.
  if (!isPyroError(error, 'disk_full') || error.details['guest_code'] === undefined) return error;
  return new PyroError('disk_full', `no room left on the disk of the workspace: ${error.message}`, {
    hint: 'nothing was copied; delete files in the workspace, or create one with a larger disk (--disk-mib)',
    details: error.details,
    cause: error,
  });
}

/** The result of one file. */
export function copied(workspace: Workspace, source: string, target: string, bytes: number): CopyOutput {
  return {
    workspace_id: workspace.record.id,
    source,
    target,
    artifact_type: 'file',
    entry_count: 1,
    written_count: 1,
    bytes_written: bytes,
    skipped: [],
  };
}
