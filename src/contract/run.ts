// Guests for one command, and the checks of this machine: what goes in and what comes out.

import { z } from 'zod';
import { environmentField, memMibField, packageSourcesField, vcpuCountField } from './fields.ts';
import { envField, workspaceIdField } from './workspaces.ts';

export const runOutput = z.object({
  vm_id: z.string(),
  environment: z.string(),
  environment_version: z.string().describe('Digest of the environment'),
  command: z.array(z.string()),
  stdout: z.string(),
  stderr: z.string(),
  stdout_truncated: z.boolean(),
  stderr_truncated: z.boolean(),
  is_utf8: z.boolean().describe('False when non-UTF-8 bytes were replaced'),
  exit_code: z.number(),
  timed_out: z.boolean(),
  duration_ms: z.number(),
  boot_ms: z.number(),
  boot_source: z.enum(['template', 'cold', 'none']),
  execution_mode: z.enum(['guest', 'host_compat']),
  accelerator: z.enum(['kvm', 'tcg', 'none']),
  denied_connections: z.array(z.object({ target: z.string(), rule: z.string(), reason: z.string() })),
  network_note: z.string().nullable(),
  program_note: z.string().nullable().describe('Where to get a program that was not found'),
  damage_note: z.string().nullable().describe('What the guest was started from, and has gone bad on the disk'),
  cleanup: z.object({ deleted: z.boolean(), reason: z.string() }),
});

export const vmIdField = workspaceIdField.describe('Id of the guest');

export const vmSchema = z.object({
  vm_id: z.string(),
  environment: z.string(),
  environment_version: z.string(),
  vcpu_count: z.number(),
  mem_mib: z.number(),
  ttl_seconds: z.number(),
  created_at: z.number(),
  expires_at: z.number().nullable(),
  state: z.string(),
  network_enabled: z.boolean(),
  execution_mode: z.literal('guest'),
});

export const runInput = z.strictObject({
  environment: environmentField,
  command: z.array(z.string()).min(1, 'a command is needed after --').describe('Command and its arguments'),
  vcpu_count: vcpuCountField,
  mem_mib: memMibField,
  timeout_seconds: z
    .number()
    .min(0.1)
    .max(86_400)
    .optional()
    .describe('Time limit of the command, seconds; default 30, none on a terminal'),
  env: envField,
  cwd: z.string().optional().describe("Working directory in the guest; default the image's"),
  user: z.string().optional().describe("User in the guest, NAME, UID or UID:GID; default the image's"),
  seed_path: z.string().optional().describe('Folder, Git checkout or tar archive on the host for /workspace'),
  network_policy: z.enum(['off', 'egress']).default('off').describe('Network access of the guest'),
  allow: z
    .array(z.string())
    .default([])
    .describe('Hosts that may be reached: host, *.domain, host:port or CIDR; default public addresses'),
  package_sources: packageSourcesField,
  cold: z.boolean().default(false).describe('Boot the guest instead of restoring the template'),
  allow_host_compat: z
    .boolean()
    .default(false)
    .describe('Run on this host, without isolation, when no guest can start'),
});
export type RunInput = z.output<typeof runInput>;

export const vmRunInput = z.strictObject({
  environment: environmentField,
  command: z.string().min(1).max(131_072).describe('Shell command line'),
  vcpu_count: vcpuCountField,
  mem_mib: memMibField,
  timeout_seconds: z.number().min(0.1).max(40).default(30).describe('Time limit of the command, seconds'),
  network_policy: z
    .enum(['off', 'egress'])
    .default('off')
    .describe('Network access; more than the server allows is refused'),
  allow: z
    .array(z.string())
    .default([])
    .describe('Hosts that may be reached: host, *.domain, host:port or CIDR; default public addresses'),
  package_sources: packageSourcesField,
  allow_host_compat: z
    .boolean()
    .default(false)
    .describe('Run on the host when no guest can start; the server must permit it'),
});
export type VmRunInput = z.output<typeof vmRunInput>;

export const vmRunOutput = runOutput.extend({ command: z.string() });
export type VmRunOutput = z.output<typeof vmRunOutput>;

export const vmListEnvironmentsInput = z.strictObject({});
export type VmListEnvironmentsInput = z.output<typeof vmListEnvironmentsInput>;

export const vmListEnvironmentsOutput = z.object({
  environments: z.array(z.object({ name: z.string(), description: z.string(), installed: z.boolean() })),
});
export type VmListEnvironmentsOutput = z.output<typeof vmListEnvironmentsOutput>;

export const vmCreateInput = z.strictObject({
  environment: environmentField,
  vcpu_count: vcpuCountField,
  mem_mib: memMibField,
  ttl_seconds: z.number().int().min(60).max(604_800).default(600).describe('Idle time before it is stopped, seconds'),
});
export type VmCreateInput = z.output<typeof vmCreateInput>;

export const vmStartInput = z.strictObject({ vm_id: vmIdField });
export type VmStartInput = z.output<typeof vmStartInput>;

export const vmStopInput = z.strictObject({ vm_id: vmIdField });
export type VmStopInput = z.output<typeof vmStopInput>;

export const vmStatusInput = z.strictObject({ vm_id: vmIdField });
export type VmStatusInput = z.output<typeof vmStatusInput>;

export const vmExecInput = z.strictObject({
  vm_id: vmIdField,
  command: z.string().min(1).max(131_072).describe('Shell command line'),
  timeout_seconds: z.number().min(0.1).max(40).default(30).describe('Time limit of the command, seconds'),
});
export type VmExecInput = z.output<typeof vmExecInput>;

export const vmExecOutput = z.object({
  vm_id: z.string(),
  command: z.string(),
  stdout: z.string(),
  stderr: z.string(),
  exit_code: z.number().nullable(),
  truncated: z.boolean(),
  timed_out: z.boolean(),
  duration_ms: z.number(),
  sequence: z.number(),
  execution_mode: z.literal('guest'),
});
export type VmExecOutput = z.output<typeof vmExecOutput>;

export const vmDeleteInput = z.strictObject({ vm_id: vmIdField });
export type VmDeleteInput = z.output<typeof vmDeleteInput>;

export const vmDeleteOutput = z.object({ vm_id: z.string(), deleted: z.boolean(), reason: z.string() });
export type VmDeleteOutput = z.output<typeof vmDeleteOutput>;

export const vmNetworkInfoInput = z.strictObject({ vm_id: vmIdField });
export type VmNetworkInfoInput = z.output<typeof vmNetworkInfoInput>;

export const vmNetworkInfoOutput = z.object({
  vm_id: z.string(),
  network_enabled: z.boolean(),
  outbound_connectivity_expected: z.boolean(),
  reason: z.string(),
});
export type VmNetworkInfoOutput = z.output<typeof vmNetworkInfoOutput>;

export const vmReapExpiredInput = z.strictObject({});
export type VmReapExpiredInput = z.output<typeof vmReapExpiredInput>;

export const vmReapExpiredOutput = z.object({ count: z.number(), deleted_vm_ids: z.array(z.string()) });
export type VmReapExpiredOutput = z.output<typeof vmReapExpiredOutput>;

export type RunOutput = z.output<typeof runOutput>;
