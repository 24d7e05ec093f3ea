// Services of a workspace: what goes in and what comes out.

import { z } from 'zod';
import { portsField, secretEnvField } from './word-forms.ts';
import { envField, workspaceIdField } from './workspaces.ts';

export const serviceNameField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a service name has 1 to 64 letters, digits, dots, hyphens, underscores')
  .describe('Name of the service');

export const serviceInput = { workspace_id: workspaceIdField, service_name: serviceNameField };

export const serviceSchema = z.object({
  workspace_id: z.string(),
  service_name: z.string(),
  state: z.enum(['starting', 'running', 'restarting', 'exited', 'stopped', 'failed']),
  command: z.string(),
  cwd: z.string(),
  pid: z.number().nullable().describe('Process id in the guest'),
  started_at: z.number(),
  ready_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  exit_code: z.number().nullable(),
  stop_reason: z.string().nullable().describe('Why it stopped or failed'),
  readiness: z
    .array(z.object({ type: z.enum(['file', 'tcp', 'http', 'command']), target: z.string() }))
    .describe('Probes, all of which must hold'),
  readiness_detail: z.string().nullable().describe('What was missing at the last check'),
  restart_policy: z.enum(['never', 'on-failure', 'always']),
  restart_count: z.number(),
  published_ports: z.array(
    z.object({ host: z.string(), host_port: z.number(), guest_port: z.number(), protocol: z.literal('tcp') }),
  ),
  stdout_bytes: z.number().describe('Length of its output so far: the cursor of its end'),
  stderr_bytes: z.number(),
  execution_mode: z.literal('guest'),
});

export type ServiceView = z.output<typeof serviceSchema>;
export type ReadinessView = ServiceView['readiness'][number];
export type PublishedPortView = ServiceView['published_ports'][number];

export const serviceLogsOutput = serviceSchema.extend({
  stdout: z.string(),
  stderr: z.string(),
  tail_lines: z.number(),
  truncated: z.boolean().describe('True when older output than shown is kept, or newer follows next_cursor'),
  is_utf8: z.boolean().describe('False when non-UTF-8 bytes were replaced'),
  dropped_bytes: z.number().describe('Bytes at the cursor that are no longer kept'),
  next_cursor: z.number().nullable(),
});

export type ServiceLogsOutput = z.output<typeof serviceLogsOutput>;

export const serviceStartInput = z.strictObject({
  ...serviceInput,
  command: z.string().min(1).max(131_072).describe('Shell command line that stays in the foreground'),
  cwd: z.string().optional().describe('Working directory, relative to /workspace'),
  env: envField,
  secret_env: secretEnvField,
  ready_file: z.string().min(1).max(4096).optional().describe('Ready when this file exists'),
  ready_tcp: z
    .string()
    .regex(/^(?:[^:\s]*:|\[[0-9a-fA-F:]+\]:)?\d{1,5}$/, 'it is PORT or HOST:PORT')
    .optional()
    .describe('Ready when this PORT or HOST:PORT accepts connections'),
  ready_http: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional()
    .describe('Ready when this URL answers with a status below 400'),
  ready_command: z.string().min(1).max(131_072).optional().describe('Ready when this command line exits with 0'),
  ready_timeout_seconds: z.number().min(1).max(3600).default(30).describe('Longest time to become ready, seconds'),
  ready_interval_ms: z.number().int().min(50).max(60_000).default(500).describe('Time between two probes, ms'),
  restart_policy: z
    .enum(['never', 'on-failure', 'always'])
    .default('never')
    .describe('Whether it restarts when it ends by itself; always: also after its workspace was off'),
  published_ports: portsField,
  wait_seconds: z
    .number()
    .min(0)
    .max(3600)
    .default(40)
    .describe('Longest wait for readiness, seconds; it keeps starting'),
});
export type ServiceStartInput = z.output<typeof serviceStartInput>;

export const serviceListInput = z.strictObject({ workspace_id: workspaceIdField });
export type ServiceListInput = z.output<typeof serviceListInput>;

export const serviceListOutput = z.object({
  workspace_id: z.string(),
  count: z.number(),
  running_count: z.number().describe('Those that start, run or restart'),
  services: z.array(serviceSchema),
});
export type ServiceListOutput = z.output<typeof serviceListOutput>;

export const serviceStatusInput = z.strictObject(serviceInput);
export type ServiceStatusInput = z.output<typeof serviceStatusInput>;

export const serviceStopInput = z.strictObject(serviceInput);
export type ServiceStopInput = z.output<typeof serviceStopInput>;

export const serviceLogsInput = z.strictObject({
  ...serviceInput,
  tail_lines: z.number().int().min(1).max(100_000).default(200).describe('Newest lines of each stream'),
  all: z.boolean().default(false).describe('Everything kept, up to limit'),
  stream: z.enum(['stdout', 'stderr', 'both']).default('both').describe('Stream to read; required with a cursor'),
  cursor: z.number().int().min(0).optional().describe('Byte offset in the stream'),
  limit: z.number().int().min(1).max(16_777_216).default(4000).describe('Most bytes of each stream'),
  wait_seconds: z.number().min(0).max(3600).default(0).describe('Longest wait for more output, seconds'),
});
export type ServiceLogsInput = z.output<typeof serviceLogsInput>;
