// Deleting many workspaces: those with work that exists nowhere else stay, unless forced.

import type { WorkspaceCall } from '../../contract/call.ts';
import type { DeleteInput, DeleteOutput, PruneInput, PruneOutput, UnsavedWork } from '../../contract/workspaces.ts';
import { isPyroError } from '../../shared/errors.ts';
import { formatCount } from '../../shared/units.ts';
import { diskUse } from '../../system/disk-use.ts';
import { findUnsaved } from '../workspace/unsaved-work.ts';
import type { WorkspaceRegistry } from '../workspace/workspace-registry.ts';
import { viewsOf } from './list.ts';

export async function pruneWorkspaces(
  registry: WorkspaceRegistry,
  { all, force, dry_run: isDryRun }: PruneInput,
  call: WorkspaceCall,
): Promise<PruneOutput> {
  const deleted: string[] = [];
  const kept: PruneOutput['kept'] = [];
  let freed = 0;
  const views = viewsOf(registry).filter(({ state }) => all || !['started', 'paused', 'unresponsive'].includes(state));
  // One after the other: what is looked at long before it is deleted may hold new work by then.
  for (const [at, { workspace_id: id, name }] of views.entries()) {
    call.signal.throwIfAborted();
    const message = `looking at ${at + 1} of ${formatCount(views.length, 'workspace')}`;
    call.onProgress({ phase: 'prune', message, isPassing: true });
    const unsaved = force ? nothing : await unsavedOf(registry, id, call);
    if (unsaved === undefined || unsaved.files > 0) {
      kept.push({ workspace_id: id, name, is_known: unsaved !== undefined, ...(unsaved ?? nothing) });
      continue;
    }
    freed += await diskUse(registry.filesOf(id).folder);
    try {
      if (!isDryRun) await registry.remove(id);
      deleted.push(id);
    } catch (error) {
      // Someone else has deleted it meanwhile.
      if (!isPyroError(error, 'workspace_unknown')) throw error;
    }
  }
  return { deleted, kept, freed_bytes: freed, dry_run: isDryRun };
}

const nothing: UnsavedWork = { files: 0, additions: 0, deletions: 0 };

/** Deletes one, and says what was in it that was not brought home. */
export async function deleteWorkspace(
  registry: WorkspaceRegistry,
  { workspace_id, dry_run: isDryRun }: DeleteInput,
  call: WorkspaceCall,
): Promise<DeleteOutput> {
  const unsaved = await unsavedOf(registry, workspace_id, call);
  if (!isDryRun) await registry.remove(workspace_id);
  return {
    workspace_id,
    deleted: !isDryRun,
    reason: isDryRun ? 'dry_run' : 'explicit_delete',
    not_brought_home: unsaved ?? null,
  };
}

/** What a workspace holds that was not brought home; undefined where that is not known. */
async function unsavedOf(
  registry: WorkspaceRegistry,
  id: string,
  call: WorkspaceCall,
): Promise<UnsavedWork | undefined> {
  // If the record cannot be read, there is nothing to ask, and the disk may hold anything.
  if (registry.damaged().has(id)) return undefined;
  const unsaved = await findUnsaved(registry.get(id), call);
  // Whoever cancels while it is looked at wants nothing deleted.
  call.signal.throwIfAborted();
  return unsaved;
}
