// The list of workspaces, including those whose record cannot be read.

import type { ListInput, ListOutput, WorkspaceView } from '../../contract/workspaces.ts';
import { PyroError } from '../../shared/errors.ts';
import type { WorkspaceRegistry } from '../workspace/workspace-registry.ts';
import { seedsAround } from './origin.ts';
import { viewOf } from './view.ts';

/** Most recently active first; no guest is asked, so the answer is always immediate. */
export async function listWorkspaces(
  registry: WorkspaceRegistry,
  { label, state, folder, limit, cursor }: ListInput,
): Promise<Omit<ListOutput, 'workspaces'> & { readonly workspaces: WorkspaceView[] }> {
  const hasSeed = folder === undefined ? undefined : await seedsAround(folder);
  const all = viewsOf(registry)
    .filter((each) => state === undefined || each.state === state)
    .filter((each) => hasSeed === undefined || hasSeed(each.workspace_seed.seed_path))
    .filter((each) => label === undefined || hasLabel(each.labels, label))
    .sort(
      (a, b) =>
        b.last_activity_at - a.last_activity_at ||
        b.created_at - a.created_at ||
        a.workspace_id.localeCompare(b.workspace_id),
    );
  let from = 0;
  if (cursor !== undefined) {
    from = all.findIndex((each) => each.workspace_id === cursor) + 1;
    if (from === 0)
      throw new PyroError('usage', 'the workspace that the cursor points to is gone', {
        hint: 'list again without a cursor',
      });
  }
  const page = all.slice(from, from + limit);
  const isMore = from + page.length < all.length;
  return {
    count: page.length,
    workspaces: page,
    next_cursor: isMore ? (page.at(-1)?.workspace_id ?? null) : null,
  };
}

/** All of them, those without a readable record as well. */
export function viewsOf(registry: WorkspaceRegistry): WorkspaceView[] {
  return [...registry.all().map((each) => viewOf(each)), ...[...registry.damaged().keys()].map(damagedView)];
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return labels[wanted] !== undefined;
  return labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}

function damagedView(id: string): WorkspaceView {
  return {
    workspace_id: id,
    name: null,
    labels: {},
    environment: 'unknown',
    environment_version: 'unknown',
    vcpu_count: 0,
    mem_mib: 0,
    disk_mib: 0,
    ttl_seconds: 0,
    created_at: 0,
    last_activity_at: 0,
    expires_at: null,
    state: 'damaged',
    state_reason: null,
    stop_reason: 'damaged',
    network_policy: 'off',
    package_sources: 'none',
    secrets: [],
    execution_mode: 'guest',
    workspace_path: '/workspace',
    workspace_seed: emptySeed,
    command_count: 0,
    last_command: null,
    reset_count: 0,
    last_reset_at: null,
    service_count: 0,
    running_service_count: 0,
    restarted: false,
    note: null,
  };
}

export const emptySeed = {
  mode: 'empty',
  seed_path: null,
  destination: '/workspace',
  origin_kind: 'none',
  origin_ref: null,
  commit: null,
  branch: null,
  dirty: null,
  entry_count: 0,
  bytes_written: 0,
  left_out: {},
} as const;
