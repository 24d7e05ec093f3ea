// Fields that the workspace operations share.
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { formatCount } from '../shared/units.ts';
import { mapField } from './word-forms.ts';

/** Profiles of what agents do most */
export const core = ['workspace-core', 'workspace-full'] as const;

/** The daemon makes an id of it before the operation runs. */
export const workspaceIdField = z.string().min(1).max(120).describe('Id or name');

export const seedSchema = z.object({
  mode: z.enum(['empty', 'git', 'directory', 'tar_archive']),
  seed_path: z.string().nullable(),
  destination: z.string(),
  origin_kind: z.string(),
  origin_ref: z.string().nullable(),
  commit: z.string().nullable(),
  branch: z.string().nullable(),
  dirty: z.boolean().nullable(),
  entry_count: z.number(),
  bytes_written: z.number(),
  left_out: z.record(z.string(), z.number()),
});

export const lastCommandSchema = z.object({
  sequence: z.number(),
  command: z.string(),
  cwd: z.string(),
  exit_code: z.number().nullable(),
  duration_ms: z.number(),
  execution_mode: z.literal('guest'),
});

export const workspaceSchema = z.object({
  workspace_id: z.string(),
  name: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  environment: z.string(),
  environment_version: z.string().describe('Digest of the environment'),
  vcpu_count: z.number(),
  mem_mib: z.number(),
  disk_mib: z.number(),
  ttl_seconds: z.number(),
  created_at: z.number(),
  last_activity_at: z.number(),
  expires_at: z.number().nullable().describe('When idleness stops it; null for never'),
  state: z.enum(['started', 'stopped', 'damaged']),
  stop_reason: z.string().nullable(),
  network_policy: z.enum(['off', 'egress', 'egress+published-ports']),
  package_sources: z.string(),
  secrets: z.array(z.object({ name: z.string(), source_kind: z.enum(['literal', 'file']) })),
  execution_mode: z.literal('guest'),
  workspace_path: z.literal('/workspace'),
  workspace_seed: seedSchema,
  command_count: z.number(),
  last_command: lastCommandSchema.nullable(),
  reset_count: z.number(),
  last_reset_at: z.number().nullable(),
  service_count: z.number(),
  running_service_count: z.number(),
  restarted: z.boolean().describe('True when this call had to start the guest from its disk'),
});
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

export const restartedField = z.boolean().describe('True when this call had to start the guest from its disk');

export const envField = mapField('Environment variables', { CI: '1' });

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

/** Work of a workspace that is nowhere else. */
export const unsavedSchema = z.object({ files: z.number(), additions: z.number(), deletions: z.number() });

/** `3 files, +10 -2`. */
export function formatWork({ files, additions, deletions }: z.infer<typeof unsavedSchema>): string {
  return `${formatCount(files, 'file', 'files')}, +${additions} -${deletions}`;
}
