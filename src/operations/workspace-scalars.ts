// Fields that the workspace operations share.

import type { z } from 'zod';
import type { unsavedSchema, workspaceSchema } from '../contract/workspaces.ts';
import type { Engine, Workspaces } from '../engine/engine.ts';
import { formatCount } from '../shared/units.ts';

/** Profiles of what agents do most */
export const core = ['workspace-core', 'workspace-full'] as const;

export type WorkspaceOutput = z.infer<typeof workspaceSchema>;

/** Of a workspace, what its caller has asked for or been told when it was made */
export const toldFields = [
  'environment',
  'environment_version',
  'vcpu_count',
  'mem_mib',
  'disk_mib',
  'ttl_seconds',
  'created_at',
  'last_activity_at',
  'expires_at',
  'network_policy',
  'secrets',
  'workspace_seed',
  'last_command',
  'service_count',
] as const;

/** The engine, in the process that owns the guests. */
export function workspacesOf({ engine }: { readonly engine: Engine }): Workspaces {
  if (engine.workspaces === undefined) throw new Error('workspaces are the daemon’s');
  return engine.workspaces;
}

export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('T', ' ').slice(0, 19);
}

/** `paused (disk full)`. */
export function stateText(state: string, reason: string | null): string {
  return reason === null ? state : `${state} (${reason})`;
}

/** `3 files, +10 -2`. */
export function formatWork({ files, additions, deletions }: z.infer<typeof unsavedSchema>): string {
  return `${formatCount(files, 'file')}, +${additions} -${deletions}`;
}
