// Fields and texts that the service operations share.
import { z } from 'zod';
import { workspaceIdField } from './workspace-scalars.ts';

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
  stop_reason: z.string().nullable().describe('Why it is stopped or has failed'),
  readiness: z
    .array(z.object({ type: z.enum(['file', 'tcp', 'http', 'command']), target: z.string() }))
    .describe('Probes, all of which must hold'),
  readiness_detail: z.string().nullable().describe('What did not hold when it was last looked at'),
  restart_policy: z.enum(['never', 'on-failure', 'always']),
  restart_count: z.number(),
  published_ports: z.array(
    z.object({ host: z.string(), host_port: z.number(), guest_port: z.number(), protocol: z.literal('tcp') }),
  ),
  stdout_bytes: z.number().describe('Length of its output so far: the cursor of its end'),
  stderr_bytes: z.number(),
  execution_mode: z.literal('guest'),
});
export type ServiceOutput = z.infer<typeof serviceSchema>;

export const serviceLogsOutput = serviceSchema.extend({
  stdout: z.string(),
  stderr: z.string(),
  tail_lines: z.number(),
  truncated: z.boolean().describe('True when older output than shown is kept, or newer follows next_cursor'),
  is_utf8: z.boolean().describe('False when bytes that are no text were replaced'),
  dropped_bytes: z.number().describe('Bytes at the cursor that are no longer kept'),
  next_cursor: z.number().nullable(),
});

/** One line with what matters now. */
export function describeService(service: ServiceOutput): string {
  const { state, pid, exit_code: exitCode, stop_reason: reason, restart_count: restarts } = service;
  const parts = [
    `${service.service_name}: ${state}`,
    ...(pid === null ? [] : [`pid ${pid}`]),
    ...(reason === null ? [] : [reason]),
    ...(exitCode === null ? [] : [`exit_code ${exitCode}`]),
    ...(restarts === 0 ? [] : [`restarted ${restarts} times`]),
    ...(service.readiness_detail === null ? [] : [`not ready: ${service.readiness_detail}`]),
    ...service.published_ports.map((port) => `${port.host}:${port.host_port} -> ${port.guest_port}`),
  ];
  return parts.join(', ');
}
