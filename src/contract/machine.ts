// This machine and its user: storage, chat hosts, daemon, settings; what goes in and what comes out.

import { z } from 'zod';
import { hostNames, hostScopes } from '../shared/host-types.ts';
import { defaultEnvironment } from '../shared/policy-types.ts';
import { serverOptionsSchema } from '../shared/server-options.ts';
import { environmentField } from './fields.ts';
import { pruneOutput } from './workspaces.ts';

export const hostField = z.enum(hostNames).describe('Chat host: claude-code, codex or opencode');

export const scopeField = z
  .enum(hostScopes)
  .optional()
  .describe('Where the entry is kept: for the user, for everyone on the project, for the user in this project');

export const npxField = z
  .boolean()
  .default(false)
  .describe('Start the server with npx, where the package is not installed');

export const approveField = z
  .boolean()
  .default(false)
  .describe('Codex runs every tool without asking, even export and delete');

export const dryRunField = z.boolean().default(false).describe('Show the change and write nothing');

/** What a change of a host's configuration has come to; `verification` is what the host itself says afterwards, null when it was not asked */
export const resultSchema = z.object({
  host: z.enum(hostNames),
  dry_run: z.boolean(),
  changes: z.array(
    z.object({
      host: z.enum(hostNames),
      scope: z.enum(hostScopes),
      config_file: z.string(),
      server_command: z.array(z.string()),
      action: z.enum(['added', 'updated', 'removed', 'mended', 'unchanged']),
      /** False for a dry run, and where nothing changed */
      written: z.boolean(),
      method: z.enum(['file', 'none']),
      diff: z.string(),
      backup: z.string().nullable(),
    }),
  ),
  verification: z.string().nullable(),
  notes: z.array(z.string()),
});

export const useSchema = z.object({
  kind: z.string(),
  path: z.string(),
  count: z.number().nullable().describe('Things of this kind; null if not counted'),
  bytes: z.number().describe('Space on disk; holes take none'),
});

export const cleanOutput = z.object({
  removed: z.array(z.string()).describe('Of the cache'),
  workspaces: pruneOutput.pick({ deleted: true, kept: true }),
  freed_bytes: z.number(),
  dry_run: z.boolean(),
});

/** Times are `s` since 1970; memory of the guests is what they were given, that of the daemon its own process */
export const statusSchema = z.object({
  pid: z.number().int().positive(),
  version: z.string(),
  protocol: z.number(),
  started_at: z.number(),
  socket: z.string(),
  log: z.string(),
  draining: z.boolean(),
  calls: z.number(),
  guests: z.array(z.object({ workspace_id: z.string(), pid: z.number() })),
  guest_memory_bytes: z.number(),
  memory_bytes: z.number(),
  /** In the tighter of the folders of cache and state */
  disk_free_bytes: z.number(),
  idle_seconds: z.number(),
});

export const valueSchema = z.union([z.string(), z.number(), z.null()]);

export const settingSchema = z.object({
  name: z.string(),
  value: valueSchema.describe('Value in effect'),
  is_set: z.boolean().describe('False for the default of pyro'),
  fault: z.string().nullable().describe('Why the value in the file is invalid; commands refuse it'),
  commands: z.array(z.string()),
});

export const dfInput = z.strictObject({});
export type DfInput = z.output<typeof dfInput>;

export const dfOutput = z.object({
  uses: z.array(useSchema),
  total_bytes: z.number(),
  cleanable_bytes: z.number().describe('What clean would free'),
  cleanable_all_bytes: z.number().describe('What clean --all would free'),
});
export type DfOutput = z.output<typeof dfOutput>;

export const cleanInput = z.strictObject({
  all: z.boolean().default(false).describe('Remove everything that can be recreated'),
  force: z.boolean().default(false).describe('Do not ask'),
  dry_run: z.boolean().default(false).describe('Show what would be removed, and remove nothing'),
});
export type CleanInput = z.output<typeof cleanInput>;

export const doctorInput = z.strictObject({ environment: environmentField.default(defaultEnvironment) });
export type DoctorInput = z.output<typeof doctorInput>;

export const doctorOutput = z.object({
  ready: z.boolean(),
  checks: z.array(
    z.object({
      name: z.string(),
      status: z.enum(['ok', 'warn', 'fail']),
      message: z.string(),
      why: z.string(),
      fix: z.string().nullable(),
    }),
  ),
});
export type DoctorOutput = z.output<typeof doctorOutput>;

export const demoInput = z.strictObject({ environment: environmentField.default(defaultEnvironment) });
export type DemoInput = z.output<typeof demoInput>;

export const demoOutput = z.object({
  accelerator: z.string(),
  reason: z.string(),
  steps: z.array(z.object({ step: z.string(), ms: z.number(), note: z.string() })),
});
export type DemoOutput = z.output<typeof demoOutput>;

export const prepareInput = z.strictObject({
  environment: environmentField.default(defaultEnvironment),
  force: z.boolean().default(false).describe('Rebuild the templates'),
});
export type PrepareInput = z.output<typeof prepareInput>;

export const prepareOutput = z.object({
  environment: z.string(),
  digest: z.string(),
  accelerator: z.string(),
  built: z.boolean(),
  template_ms: z.number(),
  start_ms: z.number(),
  reset_ms: z.number(),
  total_ms: z.number(),
});
export type PrepareOutput = z.output<typeof prepareOutput>;

export const hostConnectInput = serverOptionsSchema.safeExtend({
  host: hostField,
  scope: scopeField,
  npx: npxField,
  approve: approveField,
  dry_run: dryRunField,
});
export type HostConnectInput = z.output<typeof hostConnectInput>;

export const hostDisconnectInput = z.strictObject({
  host: hostField,
  scope: scopeField.describe('Only remove the entry in this scope; default every scope'),
  dry_run: dryRunField,
});
export type HostDisconnectInput = z.output<typeof hostDisconnectInput>;

export const hostPrintConfigInput = serverOptionsSchema.safeExtend({
  host: hostField,
  scope: scopeField,
  npx: npxField,
  approve: approveField,
  write: z.boolean().default(false).describe('Merge it into the configuration file (opencode)'),
  dry_run: dryRunField,
});
export type HostPrintConfigInput = z.output<typeof hostPrintConfigInput>;

export const hostPrintConfigOutput = z.object({
  host: z.enum(hostNames),
  config_file: z.string(),
  format: z.enum(['json', 'jsonc', 'toml']),
  snippet: z.string(),
  host_command: z.string().nullable(),
  result: resultSchema.nullable(),
});
export type HostPrintConfigOutput = z.output<typeof hostPrintConfigOutput>;

export const hostDoctorInput = z.strictObject({ host: hostField.optional() });
export type HostDoctorInput = z.output<typeof hostDoctorInput>;

export const hostDoctorOutput = z.object({
  ready: z.boolean(),
  hosts: z.array(
    z.object({
      host: z.enum(hostNames),
      installed: z.boolean(),
      version: z.string().nullable(),
      configured: z.boolean(),
      config_file: z.string().nullable(),
      scope: z.enum(hostScopes).nullable(),
      checks: z.array(
        z.object({
          name: z.string(),
          status: z.enum(['ok', 'warn', 'fail']),
          message: z.string(),
          fix: z.string().nullable(),
        }),
      ),
    }),
  ),
});
export type HostDoctorOutput = z.output<typeof hostDoctorOutput>;

export const hostRepairInput = z.strictObject({
  host: hostField,
  scope: scopeField.describe('Only keep an entry in this scope; default every scope that has one'),
  force: z.boolean().default(false).describe('Fix a configuration file that does not parse'),
  dry_run: dryRunField,
});
export type HostRepairInput = z.output<typeof hostRepairInput>;

export const daemonStatusInput = z.strictObject({});
export type DaemonStatusInput = z.output<typeof daemonStatusInput>;

export const daemonStatusOutput = z.object({ running: z.boolean(), daemon: statusSchema.nullable() });
export type DaemonStatusOutput = z.output<typeof daemonStatusOutput>;

export const daemonStopInput = z.strictObject({
  force: z.boolean().default(false).describe('Do not wait for running calls'),
});
export type DaemonStopInput = z.output<typeof daemonStopInput>;

export const daemonStopOutput = z.object({ stopped: z.boolean() });
export type DaemonStopOutput = z.output<typeof daemonStopOutput>;

export const configInput = z.strictObject({
  name: z.string().min(1).optional().describe('Setting, named like the option'),
  value: z.string().optional().describe('New value'),
  unset: z.boolean().default(false).describe('Go back to the default of pyro'),
});
export type ConfigInput = z.output<typeof configInput>;

export const configOutput = z.object({
  path: z.string(),
  settings: z.array(settingSchema),
  unknown: z.array(z.string()).describe('Names in the file that are not settings'),
});
export type ConfigOutput = z.output<typeof configOutput>;

export type DoctorCheck = DoctorOutput['checks'][number];
export type DemoStep = DemoOutput['steps'][number];
export type StorageUse = DfOutput['uses'][number];
export type ConnectResult = z.output<typeof resultSchema>;
export type HostChange = ConnectResult['changes'][number];
export type ConfigSnippet = Omit<HostPrintConfigOutput, 'result'>;
export type HostReport = HostDoctorOutput['hosts'][number];
export type HostCheck = HostReport['checks'][number];
export type DaemonStatus = z.output<typeof statusSchema>;
