// Fields that the workspace operations share.

import type { z } from 'zod';
import type { unsavedSchema, workspaceSchema } from '../contract/workspaces.ts';
import { PyroError } from '../shared/errors.ts';
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

/** Secrets for the environment as the engine takes them: each NAME=VARIABLE. */
export function secretWords(secretEnv: Readonly<Record<string, string>>): string[] {
  return Object.entries(secretEnv).map(([name, variable]) => `${name}=${variable}`);
}

const labelKey = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The labels. Throws `usage` for what cannot be one. */
export function checkLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(labels)) {
    if (!labelKey.test(key)) {
      throw new PyroError('usage', `labels: ${JSON.stringify(key)} is not a label key`, {
        hint: 'a key has 1 to 64 letters, digits, dots, hyphens and underscores and begins with a letter or digit',
      });
    }
    if (value.length > 120 || /[\r\n]/.test(value)) {
      throw new PyroError('usage', `labels: the value of ${key} is longer than 120 characters or has a line break`);
    }
  }
  return labels;
}

/** The engine, in the process that owns the guests. */
export function workspacesOf<T>({ engine }: { engine: { workspaces: T | undefined } }): T {
  if (engine.workspaces === undefined) throw new Error('workspaces are the daemon’s');
  return engine.workspaces;
}

export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('T', ' ').slice(0, 19);
}

/** `3 files, +10 -2`. */
export function formatWork({ files, additions, deletions }: z.infer<typeof unsavedSchema>): string {
  return `${formatCount(files, 'file', 'files')}, +${additions} -${deletions}`;
}
