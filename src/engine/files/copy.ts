// Copies between the host and a workspace: where they go; export and sync do the work.

import { basename, posix, resolve } from 'node:path';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { CopyInput, CopyOutput } from '../../contract/files.ts';
import { guestPlace, streamPlace } from '../../contract/files.ts';
import { PyroError } from '../../shared/errors.ts';
import type { OnProgress } from '../../shared/progress.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { placeHere, placeOf, refuseFolder, standingAt, statHere } from './copy-places.ts';
import { pushCopy } from './copy-push.ts';
import { copyFromInput, copyToOutput } from './copy-streams.ts';
import { exportWorkspace } from './export.ts';

export async function copyFiles(
  workspace: Workspace,
  { source, target }: CopyInput,
  given: WorkspaceCall,
): Promise<CopyOutput> {
  const isOut = guestPlace(source) !== undefined;
  if (isOut === (guestPlace(target) !== undefined)) {
    throw new PyroError('usage', 'one of the two paths must be in the workspace and begin with a colon', {
      hint: 'source: ":build/report.html", target: "report.html"',
    });
  }
  const guest = guestPlace(isOut ? source : target) ?? '';
  const there = isOut ? target : source;
  const host = there === streamPlace ? undefined : there;
  const { io } = given;
  const call = { ...given, onProgress: passing(given.onProgress) };
  if (isOut)
    return host === undefined
      ? await copyToOutput(workspace, guest, io, call)
      : await copyOut(workspace, guest, host, call);
  return host === undefined
    ? await copyFromInput(workspace, guest, io, call)
    : await copyIn(workspace, host, guest, call);
}

/** Its own steps are not logged, only the result; what happens to the guest is. */
function passing(onProgress: OnProgress): OnProgress {
  const steps = ['copy', 'export', 'sync'];
  return (progress) => onProgress(steps.includes(progress.phase) ? { ...progress, isPassing: true } : progress);
}

async function copyOut(workspace: Workspace, guest: string, host: string, call: WorkspaceCall): Promise<CopyOutput> {
  const from = placeOf(guest, guestPath);
  const target = await placeHere(placeOf(host, resolve), from);
  const input = {
    workspace_id: workspace.record.id,
    path: from.path,
    output_path: target,
    format: 'files' as const,
    overwrite: false,
    include_git: false,
    include_ignored: true,
  };
  const written = await exportWorkspace(workspace, input, call, true);
  return {
    workspace_id: workspace.record.id,
    source: from.path,
    target,
    artifact_type: written.artifact_type,
    entry_count: written.entry_count,
    written_count: written.entry_count,
    bytes_written: written.bytes_written,
    skipped: written.skipped,
  };
}

async function copyIn(workspace: Workspace, host: string, guest: string, call: WorkspaceCall): Promise<CopyOutput> {
  const from = placeOf(host, resolve);
  const source = await permitHostPath(from.path, call.hostPaths);
  const status = await statHere(source, from);
  const to = placeOf(guest, guestPath);
  const standing = await standingAt(workspace, to.path, call);
  const isFolder = status.isDirectory();
  if (isFolder && standing?.isFolder === false) {
    throw new PyroError('not_a_directory', `${to.path} is a file in the guest, but ${from.path} is a folder`, {
      hint: 'copy to another path, or remove the file first',
    });
  }
  const isBelow = (to.isFolder || standing?.isFolder === true) && !from.isContent;
  const target = isBelow ? posix.join(to.path, basename(from.path)) : to.path;
  if (!isFolder) await refuseFolder(workspace, target, call);
  const whole = isFolder
    ? { dest: target, name: undefined, hasTop: isBelow || standing === undefined }
    : { dest: posix.dirname(target), name: posix.basename(target), hasTop: false };
  return await pushCopy(workspace, { source_path: source, ...whole }, { source: from.path, target, isFolder }, call);
}
