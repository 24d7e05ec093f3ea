// The life of a workspace: what goes in and what comes out.

import { z } from 'zod';
import { networkPolicies, packageSourceKinds } from '../shared/policy-types.ts';
import { environmentField, memMibField, packageSourcesField, vcpuCountField } from './fields.ts';
import { mapField, secretsField } from './word-forms.ts';

/** Also the beginning of an id; the engine finds the one that is meant. */
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

/** `paused`: by QEMU, for its disk on the host. `crashed`: stopped by a panic or a kill; the next call starts it again */
const states = ['started', 'paused', 'unresponsive', 'stopped', 'crashed', 'damaged'] as const;
const stateReasonField = z.string().nullable().describe('Why it is paused, unresponsive or crashed');

/**
 * What a create asks for that a workspace keeps as it is, in its record, and shows back: a field that is added here and
 * below is in the input, the record and the view.
 */
const createdFields = {
  vcpu_count: vcpuCountField,
  mem_mib: memMibField,
  disk_mib: z.number().int().min(8192).max(1_048_576).default(8192).describe('Disk of the guest, MiB'),
  ttl_seconds: z
    .number()
    .int()
    .min(0)
    .max(604_800)
    .default(1800)
    .refine((value) => value === 0 || value >= 60, 'it must be 0 (never) or 60 to 604800')
    .describe('Idle time until it is stopped, seconds; 0 for never'),
};

/** The same fields in a record and in a view: their kind alone, since what is there was judged when it came in. */
export const keptFields = {
  vcpu_count: z.number(),
  mem_mib: z.number(),
  disk_mib: z.number(),
  ttl_seconds: z.number(),
} satisfies { [K in keyof typeof createdFields]: z.ZodType };

const keptSchema = z.object(keptFields);
type Kept = z.output<typeof keptSchema>;

/** Of an input, a record or a view, the fields that it has from its create. */
export function keptOf(from: Kept): Kept {
  return keptSchema.parse(from);
}

export const workspaceSchema = z.object({
  workspace_id: z.string(),
  name: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  environment: z.string(),
  environment_version: z.string().describe('Digest of the environment'),
  ...keptFields,
  created_at: z.number(),
  last_activity_at: z.number(),
  expires_at: z.number().nullable().describe('When idleness stops it; null for never'),
  state: z.enum(states),
  state_reason: stateReasonField,
  stop_reason: z.string().nullable(),
  network_policy: z.enum(networkPolicies),
  package_sources: z.enum(packageSourceKinds),
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
  note: z.string().nullable().describe('What to know of what it runs on, such as a damaged image'),
});

export type WorkspaceView = z.output<typeof workspaceSchema>;
export type SeedView = z.output<typeof seedSchema>;
export type LastCommand = z.output<typeof lastCommandSchema>;

export const restartedField = z.boolean().describe('True when this call had to start the guest from its disk');

export const envField = mapField('Environment variables', { CI: '1' });

/** Work of a workspace that is nowhere else. */
export const unsavedSchema = z.object({ files: z.number(), additions: z.number(), deletions: z.number() });

export type UnsavedWork = z.output<typeof unsavedSchema>;

export const pruneOutput = z.object({
  deleted: z.array(z.string()),
  kept: z.array(unsavedSchema.extend({ workspace_id: z.string(), name: z.string().nullable(), is_known: z.boolean() })),
  freed_bytes: z.number(),
  dry_run: z.boolean(),
});

export const nameField = z.string().min(1).max(120).describe('Display name, need not be unique');

export const labelsField = mapField('Labels', { task: '42' });

export const createInput = z.strictObject({
  environment: environmentField.optional().describe('Environment or OCI image reference; default debian:12'),
  seed_path: z.string().optional().describe('Folder, Git checkout or tar archive on the host to put into /workspace'),
  empty: z.boolean().default(false).describe('Put in no project, even inside a checkout'),
  name: nameField.optional(),
  labels: labelsField,
  ...createdFields,
  network_policy: z
    .enum(networkPolicies)
    .default('off')
    .describe('Network access, not needed for service ports; more than the server allows is refused'),
  secrets: secretsField,
  allow: z
    .array(z.string())
    .default([])
    .describe('Hosts that may be reached: host, *.domain, host:port or CIDR; default public addresses'),
  package_sources: packageSourcesField,
  wait_seconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(40)
    .describe('Longest wait for an environment being prepared, seconds'),
});
export type CreateInput = z.output<typeof createInput>;

export const statusInput = z.strictObject({ workspace_id: workspaceIdField });
export type StatusInput = z.output<typeof statusInput>;

export const statusOutput = workspaceSchema.extend({
  accelerator: z.string(),
  idle_seconds: z.number(),
  memory_used_bytes: z.number().nullable(),
  disk_used_bytes: z.number(),
  processes: z.number().nullable(),
  running_sequences: z.array(z.number()),
});
export type StatusOutput = z.output<typeof statusOutput>;

export const updateInput = z.strictObject({
  workspace_id: workspaceIdField,
  name: nameField.optional(),
  clear_name: z.boolean().default(false).describe('Remove the name'),
  labels: labelsField,
  clear_labels: z.array(z.string()).default([]).describe('Label keys to remove'),
});
export type UpdateInput = z.output<typeof updateInput>;

export const resetInput = z.strictObject({
  workspace_id: workspaceIdField,
  snapshot: z.string().min(1).max(64).default('baseline').describe('State to go back to; baseline is the seed'),
});
export type ResetInput = z.output<typeof resetInput>;

export const listInput = z.strictObject({
  label: z.string().optional().describe('Only those with this label, K or K=V'),
  state: z.enum(states).optional().describe('Only those in this state'),
  folder: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('Only those created from this host folder, or the checkout around it'),
  limit: z.number().int().min(1).max(500).default(50).describe('Most workspaces in the result'),
  cursor: z.string().optional().describe('next_cursor of the previous call'),
});
export type ListInput = z.output<typeof listInput>;

export const listOutput = z.object({
  count: z.number(),
  workspaces: z.array(
    z.object({
      workspace_id: z.string(),
      name: z.string().nullable(),
      labels: z.record(z.string(), z.string()),
      environment: z.string(),
      state: z.enum(states),
      state_reason: stateReasonField,
      created_at: z.number(),
      last_activity_at: z.number(),
      expires_at: z.number().nullable(),
      command_count: z.number(),
    }),
  ),
  next_cursor: z.string().nullable(),
});
export type ListOutput = z.output<typeof listOutput>;

export const deleteInput = z.strictObject({
  workspace_id: workspaceIdField,
  force: z.boolean().default(false).describe('Do not ask, even if work is lost'),
  dry_run: z.boolean().default(false).describe('Show what would be lost, and delete nothing'),
});
export type DeleteInput = z.output<typeof deleteInput>;

export const deleteOutput = z.object({
  workspace_id: z.string(),
  deleted: z.boolean(),
  reason: z.enum(['explicit_delete', 'dry_run']),
  not_brought_home: unsavedSchema.nullable().describe('Work lost with it; null if unknown'),
});
export type DeleteOutput = z.output<typeof deleteOutput>;

export const pruneInput = z.strictObject({
  all: z.boolean().default(false).describe('Also delete running ones'),
  force: z.boolean().default(false).describe('Do not ask, and also delete those with work not brought home'),
  dry_run: z.boolean().default(false).describe('Show what would be deleted, and delete nothing'),
});
export type PruneInput = z.output<typeof pruneInput>;

export const startInput = z.strictObject({ workspace_id: workspaceIdField });
export type StartInput = z.output<typeof startInput>;

export const stopInput = z.strictObject({ workspace_id: workspaceIdField });
export type StopInput = z.output<typeof stopInput>;

export const networkInput = z.strictObject({
  workspace_id: workspaceIdField,
  denied: z.boolean().default(false).describe('Only what was refused or failed'),
  limit: z.number().int().min(1).max(1000).default(50).describe('Most attempts in the result'),
  cursor: z.number().int().min(0).optional().describe('next_cursor of the previous call'),
});
export type NetworkInput = z.output<typeof networkInput>;

export const networkOutput = z.object({
  workspace_id: z.string(),
  network_policy: z.string(),
  attempts: z.array(
    z.object({
      sequence: z.number(),
      time: z.string(),
      name: z.string(),
      address: z.string().nullable(),
      port: z.number().nullable(),
      verdict: z.string(),
      rule: z.string(),
      reason: z.string().nullable(),
      bytes_in: z.number().nullable(),
      bytes_out: z.number().nullable(),
      process: z.string().nullable(),
    }),
  ),
  next_cursor: z.number().nullable(),
});
export type NetworkOutput = z.output<typeof networkOutput>;

export type PruneOutput = z.output<typeof pruneOutput>;
