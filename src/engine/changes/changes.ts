// Changes of a workspace: as a diff against its seed or a snapshot, as a patch into it, as an export to the host.
import { open } from 'node:fs/promises';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { DiffInput, DiffOutput, PatchApplyInput, PatchApplyOutput, PatchEntry } from '../../contract/changes.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { formatCount } from '../../shared/units.ts';
import { belowWorkspace } from '../files/files.ts';
import { inspectLayer } from '../files/inspect.ts';
import { beyondPage, wholePage } from '../output/text.ts';
import { layerOf } from '../workspace/snapshots.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { noteEvent } from '../workspace/workspace-secrets.ts';
import { diffJob, type MadeDiff, systemJob } from './diff-job.ts';
import type { DiffShelf, KeptDiff } from './diff-shelf.ts';
import { readEntries, whileKept } from './kept-entries.ts';
import { patchJob } from './patch-job.ts';

export async function diffWorkspace(
  workspace: Workspace,
  shelf: DiffShelf,
  request: DiffInput,
  call: WorkspaceCall,
): Promise<DiffOutput> {
  const { id } = workspace.record;
  if (request.cursor !== undefined) {
    const { shelved, offset } = parseCursor(request.cursor);
    return await resultOf(workspace, shelf.find(id, shelved), request, offset, null);
  }
  return await workspace.use(call, async ({ guest }) => {
    const { path, base, stat_only, include_ignored, max_file_bytes } = request;
    const place = {
      workspaceId: id,
      folder: workspace.files.scratch,
      key: JSON.stringify([path, base, stat_only, include_ignored, max_file_bytes]),
    };
    const diff = await shelf.make(place, call, (workFolder, context) =>
      makeDiff(workspace, guest.client, request, workFolder, context),
    );
    const system = request.system
      ? await runJob(workspace, systemJob, undefined, { guests: [guest.client], context: call })
      : null;
    return await resultOf(workspace, diff, request, 0, system);
  });
}

async function resultOf(
  workspace: Workspace,
  { id, patch, entries: entriesFile, facts }: KeptDiff,
  request: DiffInput,
  offset: number,
  system: PatchEntry[] | null,
): Promise<DiffOutput> {
  const bytes = patch?.bytes ?? 0;
  const page = patch === undefined ? Buffer.alloc(0) : await readPage(patch, offset, request.max_bytes);
  const next = offset + page.length;
  // Told once: later pages bring only the patch.
  const entries = offset === 0 ? await whileKept(readEntries(entriesFile, request.entry_limit)) : [];
  return {
    workspace_id: workspace.record.id,
    base: request.base,
    changed: facts.changed,
    summary: { ...facts.summary },
    entries,
    entries_truncated: offset === 0 && facts.summary.total > entries.length,
    patch: page.toString('utf8'),
    patch_bytes: bytes,
    next_cursor: next < bytes ? `${id}-${next}` : null,
    ignored: facts.ignored,
    left_out: facts.leftOut.map((each) => ({
      path: workspace.secrets.maskText(each.path),
      reason: each.reason,
    })),
    left_out_count: facts.leftOutCount,
    system_changes: system,
  };
}

function parseCursor(cursor: string): { shelved: string; offset: number } {
  const [, shelved = '', offset = ''] = /^([0-9a-f]{12})-(\d{1,15})$/.exec(cursor) ?? [];
  if (shelved === '') {
    throw new PyroError('usage', `${JSON.stringify(cursor.slice(0, 80))} is not a cursor of a diff`, {
      hint: 'give next_cursor as the last call returned it, or leave it out to start',
    });
  }
  return { shelved, offset: Number(offset) };
}

/** The diff that a call asks for, worked out in a folder of its own. */
async function makeDiff(
  workspace: Workspace,
  client: GuestClient,
  request: DiffInput,
  workFolder: string,
  context: CallContext,
): Promise<MadeDiff> {
  const { base, stat_only: isStatOnly, include_ignored: hasIgnored } = request;
  const path = request.path === undefined ? '' : belowWorkspace(request.path);
  const options = {
    isStatOnly,
    hasIgnored,
    ...(path === '' ? {} : { path }),
    // None for what a patch can hold
    ...(request.max_file_bytes === 0 ? {} : { maxFileBytes: request.max_file_bytes }),
  };
  const isSinceSnapshot = base !== 'baseline';
  const run = (guests: readonly GuestClient[]): Promise<MadeDiff> =>
    runJob(workspace, diffJob, { options, isSinceSnapshot }, { guests, workFolder, context });
  if (!isSinceSnapshot) return await run([client]);
  const layer = layerOf(workspace.record, base);
  return await inspectLayer(workspace, layer, context, (_files, earlier) => run([client, earlier]));
}

/** A part of the patch; characters are not cut. */
async function readPage(
  patch: { readonly file: string; readonly bytes: number },
  cursor: number,
  most: number,
): Promise<Buffer> {
  if (most === 0 || cursor >= patch.bytes) return Buffer.alloc(0);
  const file = await whileKept(open(patch.file, 'r'));
  try {
    const length = Math.min(most + beyondPage, patch.bytes - cursor);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, cursor);
    return wholePage(buffer.subarray(0, bytesRead), most, cursor + bytesRead >= patch.bytes);
  } finally {
    await file.close();
  }
}

export async function applyPatchTo(
  workspace: Workspace,
  { patch }: PatchApplyInput,
  call: WorkspaceCall,
): Promise<PatchApplyOutput> {
  return await workspace.use(call, async ({ guest }) => {
    const { changed, summary, entries } = await runJob(
      workspace,
      patchJob,
      { patch },
      { guests: [guest.client], context: call },
    );
    if (changed) {
      await noteEvent(workspace, 'patch', formatCount(summary.total, 'file'));
      const size = { files: summary.total, bytes: Buffer.byteLength(patch) };
      await workspace.audit.note({ kind: 'patch', direction: 'in', what: 'a patch', ...size });
    }
    return {
      workspace_id: workspace.record.id,
      changed,
      summary: { ...summary },
      entries: [...entries],
      execution_mode: 'guest',
    };
  });
}
