// Deleting many workspaces: those with work that nobody has stay, unless that is what is wanted.

import type { PruneRequest, PruneResult, UnsavedWork, WorkspaceCall } from '../../contract/workspaces-requests.ts';
import { isPyroError } from '../../shared/errors.ts';
import { diskUse } from '../../system/disk-use.ts';
import { findUnsaved } from '../workspace/unsaved-work.ts';
import type { WorkspaceRegistry } from '../workspace/workspace-registry.ts';
import { listWorkspaces } from './list.ts';

export async function pruneWorkspaces(
  registry: WorkspaceRegistry,
  { states, isForced, isDryRun }: PruneRequest,
  call: WorkspaceCall,
): Promise<PruneResult> {
  const { workspaces } = listWorkspaces(registry, {
    label: undefined,
    state: undefined,
    limit: Number.POSITIVE_INFINITY,
    cursor: undefined,
  });
  const deleted: string[] = [];
  const kept: PruneResult['kept'] = [];
  let freed = 0;
  for (const { workspace_id: id, name, state } of workspaces) {
    if (!states.includes(state)) continue;
    const unsaved = isForced ? nothing : await unsavedOf(registry, id, call);
    if (unsaved === undefined || unsaved.files > 0) {
      kept.push({ workspace_id: id, name, is_known: unsaved !== undefined, ...(unsaved ?? nothing) });
      continue;
    }
    freed += await diskUse(registry.filesOf(id).folder);
    try {
      if (!isDryRun) await registry.remove(id);
      deleted.push(id);
    } catch (error) {
      // Somebody else has deleted it meanwhile.
      if (!isPyroError(error, 'workspace_unknown')) throw error;
    }
  }
  return { deleted, kept, freed_bytes: freed, dry_run: isDryRun };
}

const nothing: UnsavedWork = { files: 0, additions: 0, deletions: 0 };

/** What a workspace holds that was not brought home; undefined where that is not known. */
export async function unsavedOf(
  registry: WorkspaceRegistry,
  id: string,
  call: WorkspaceCall,
): Promise<UnsavedWork | undefined> {
  // One whose record cannot be read has nobody to ask, and its disk may hold anything.
  if (registry.damaged().has(id)) return undefined;
  return await findUnsaved(registry.get(id), call);
}
