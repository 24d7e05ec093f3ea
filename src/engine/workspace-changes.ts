// Changes of a workspace: as a diff against its seed or a snapshot, as a patch into it, as an export to the host.
import { copyFile, open } from 'node:fs/promises';
import type { Change, GuestFiles } from '../agent/file-types.ts';
import { createGuestFiles } from '../agent/guest-files.ts';
import { type CollectedDiff, collectDiff, diffChanges } from '../changes/diff.ts';
import { exportFiles, exportTar, whole } from '../changes/export.ts';
import { applyPatch } from '../changes/patch.ts';
import type { DiffRequest, DiffResult, ExportRequest, ExportResult, PatchEntry, PatchResult } from './change-types.ts';
import { recordEvent } from './events.ts';
import { permitHostPath } from './host-paths.ts';
import { trailingRest } from './output-text.ts';
import { changesSince } from './snapshot-changes.ts';
import { layerOf } from './snapshots.ts';
import type { Workspace } from './workspace.ts';
import { guestPath } from './workspace-exec.ts';
import { belowWorkspace } from './workspace-files.ts';
import type { WorkspaceCall } from './workspace-types.ts';

const mostSystemChanges = 1000;

export async function diffWorkspace(
  workspace: Workspace,
  request: DiffRequest,
  call: WorkspaceCall,
): Promise<DiffResult> {
  return await workspace.use(call, async ({ guest }) => {
    const files = createGuestFiles(guest.client);
    await using diff = await collect(workspace, files, request, call);
    const { entries, summary, patchBytes } = diff;
    const page = await readPage(diff, request.cursor, request.maxBytes);
    return {
      workspace_id: workspace.record.id,
      base: request.base,
      changed: entries.length > 0,
      summary,
      entries: entries.slice(0, request.entryLimit),
      entries_truncated: entries.length > request.entryLimit,
      patch: page.toString('utf8'),
      patch_bytes: patchBytes,
      next_cursor: request.cursor + page.length < patchBytes ? request.cursor + page.length : null,
      system_changes: request.hasSystem ? await systemChanges(files, call) : null,
    };
  });
}

async function collect(
  workspace: Workspace,
  files: GuestFiles,
  request: Pick<DiffRequest, 'path' | 'base' | 'isStatOnly'>,
  call: WorkspaceCall,
): Promise<CollectedDiff> {
  const path = request.path === undefined ? undefined : Buffer.from(belowWorkspace(request.path));
  const options = { workFolder: workspace.files.scratch, path, isStatOnly: request.isStatOnly };
  if (request.base === 'baseline') return await collectDiff(files, options, call);
  const layer = layerOf(workspace.record, request.base);
  await using earlier = await changesSince(workspace, layer, files, call);
  const read = (): AsyncIterable<Change> => earlier.changes();
  return await diffChanges(read, options, call);
}

/** A part of the patch; characters are not cut. */
async function readPage({ patchFile, patchBytes }: CollectedDiff, cursor: number, most: number): Promise<Buffer> {
  if (patchBytes === 0 || most === 0 || cursor >= patchBytes) return Buffer.alloc(0);
  const file = await open(patchFile, 'r');
  try {
    const length = Math.min(most, patchBytes - cursor);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, cursor);
    const bytes = buffer.subarray(0, bytesRead);
    const rest = cursor + bytesRead < patchBytes ? trailingRest(bytes) : 0;
    return rest < bytes.length ? bytes.subarray(0, bytes.length - rest) : bytes;
  } finally {
    await file.close();
  }
}

/** What changed outside of /workspace, without contents. */
async function systemChanges(files: GuestFiles, call: WorkspaceCall): Promise<PatchEntry[]> {
  const found: PatchEntry[] = [];
  for await (const { path, before, after } of files.changes({ scope: 'system', hasContent: false }, call)) {
    const status = before === undefined ? 'added' : after === undefined ? 'deleted' : 'modified';
    found.push({ path: `/${path.toString('utf8')}`, status });
    if (found.length >= mostSystemChanges) break;
  }
  return found;
}

export async function applyPatchTo(workspace: Workspace, patch: string, call: WorkspaceCall): Promise<PatchResult> {
  return await workspace.use(call, async ({ guest }) => {
    const files = createGuestFiles(guest.client);
    const outcome = await applyPatch(files, workspace.files.scratch, Buffer.from(patch), call);
    if (outcome.changed) await recordEvent(workspace.files.events, 'patch', `${outcome.summary.total} files`);
    return { workspace_id: workspace.record.id, ...outcome };
  });
}

export async function exportWorkspace(
  workspace: Workspace,
  request: ExportRequest,
  call: WorkspaceCall,
): Promise<ExportResult> {
  const outputPath = await permitHostPath(request.outputPath, call.hostPaths);
  const plan = { outputPath, isOverwrite: request.isOverwrite };
  return await workspace.use(call, async ({ guest }) => {
    const files = createGuestFiles(guest.client);
    const path = guestPath(request.path);
    const pack = async () => await files.pack({ path, ...(request.hasGit ? {} : { excludedNames: ['.git'] }) }, call);
    const outcome =
      request.format === 'files'
        ? await exportFiles(await pack(), plan, call.signal)
        : request.format === 'tar'
          ? await exportTar(await pack(), plan, call.signal)
          : await whole(plan, async (draft) => {
              const stat = { path: request.path, base: 'baseline', isStatOnly: false };
              await using diff = await collect(workspace, files, stat, call);
              await copyFile(diff.patchFile, draft);
              const entryCount = diff.entries.length;
              return { artifact_type: 'file' as const, entry_count: entryCount, bytes_written: diff.patchBytes };
            });
    await recordEvent(workspace.files.events, 'export', outputPath);
    return {
      workspace_id: workspace.record.id,
      workspace_path: path,
      output_path: outputPath,
      format: request.format,
      ...outcome,
    };
  });
}
