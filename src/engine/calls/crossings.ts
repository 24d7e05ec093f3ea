// What crossed the boundary of a workspace: its connections, and its audit log, also of one that was deleted.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditInput, AuditOutput } from '../../contract/audit.ts';
import type { NetworkInput, NetworkOutput } from '../../contract/workspaces.ts';
import { readConnectionLog } from '../../network/connection-log.ts';
import { isPyroError } from '../../shared/errors.ts';
import { auditFolder, readAudit } from '../output/audit.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { findIn, findWorkspace } from '../workspace/workspace-find.ts';
import type { WorkspaceRegistry } from '../workspace/workspace-registry.ts';

/** Newest last. */
export async function readAttempts(
  { network, record }: Workspace,
  { workspace_id, denied, limit, cursor }: NetworkInput,
): Promise<NetworkOutput> {
  const after = cursor === undefined ? {} : { after: cursor };
  const page = await readConnectionLog(network.logPath, { isRefusedOnly: denied, limit, ...after });
  return {
    workspace_id,
    network_policy: record.network_policy,
    attempts: [...page.attempts],
    next_cursor: page.nextCursor,
  };
}

/** Oldest first. Throws `workspace_unknown`. */
export async function readAuditOf(
  registry: WorkspaceRegistry,
  { workspace_id: reference, kind, limit, cursor = 0 }: AuditInput,
): Promise<AuditOutput> {
  const folder = auditFolder(registry.paths.state);
  const id = await idOf(registry, folder, reference);
  const log = join(folder, `${id}.jsonl`);
  const { entries, brokenAt } = await readAudit(log);
  const wanted = entries.filter((each) => each.sequence > cursor && (kind === undefined || each.kind === kind));
  const page = wanted.slice(0, limit);
  return {
    workspace_id: id,
    entries: page,
    intact: brokenAt === null,
    broken_at: brokenAt,
    next_cursor: wanted.length > page.length ? (page.at(-1)?.sequence ?? null) : null,
    log,
  };
}

/** A workspace that is there comes before the file of one that was deleted. */
async function idOf(registry: WorkspaceRegistry, folder: string, reference: string): Promise<string> {
  try {
    return findWorkspace(registry, reference);
  } catch (error) {
    if (!isPyroError(error, 'workspace_unknown')) throw error;
    const names = await readdir(folder).catch(() => []);
    return findIn(
      names.map((name) => ({ id: name.replace(/\.jsonl$/, ''), name: null })),
      reference,
    );
  }
}
