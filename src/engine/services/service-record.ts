// The record of a service on disk, and the service as users see it.
import { z } from 'zod';
import type { PublishedPortView, ReadinessView, ServiceView } from '../../contract/services.ts';

export const serviceNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const serviceRecordSchema = z.object({
  version: z.literal(1),
  name: z.string().regex(serviceNamePattern),
  command: z.string(),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
  /** Secrets for its environment, by name: their values are in no file */
  secret_env: z.array(z.string()).default([]),
  ready_file: z.string().nullable(),
  ready_tcp: z.string().nullable(),
  ready_http: z.string().nullable(),
  ready_command: z.string().nullable(),
  ready_timeout_ms: z.number(),
  ready_interval_ms: z.number(),
  restart_policy: z.enum(['never', 'on-failure', 'always']),
  ports: z.array(
    z.object({
      /** Null for any free one */
      host_port: z.number().nullable(),
      guest_port: z.number(),
      /** The one that it got, which stays its own as long as nobody else takes it */
      given_port: z.number().nullable().default(null),
    }),
  ),
  /** False once somebody has stopped it: it does not come back by itself then */
  is_wanted: z.boolean(),
  state: z.enum(['starting', 'running', 'restarting', 'exited', 'stopped', 'failed']),
  stop_reason: z.string().nullable(),
  /** Process id on the guest's channel; null while there is none */
  process: z.string().nullable(),
  pid: z.number().nullable(),
  /** Where in the logs the output of this process begins */
  base: z.object({ stdout: z.number(), stderr: z.number() }),
  /** Times are `s` since 1970 */
  started_at: z.number(),
  ready_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  exit_code: z.number().nullable(),
  restart_count: z.number(),
  /** Restarts since it last ran for long */
  attempts: z.number(),
});
export type ServiceRecord = z.infer<typeof serviceRecordSchema>;

export function isAlive({ state }: Pick<ServiceRecord, 'state'>): boolean {
  return state === 'starting' || state === 'running' || state === 'restarting';
}

export function viewOfService(
  workspaceId: string,
  record: ServiceRecord,
  more: {
    readonly detail: string | undefined;
    readonly ports: PublishedPortView[];
    readonly bytes: Readonly<Record<'stdout' | 'stderr', number>>;
  },
): ServiceView {
  return {
    workspace_id: workspaceId,
    service_name: record.name,
    state: record.state,
    command: record.command,
    cwd: record.cwd,
    pid: record.pid,
    started_at: record.started_at,
    ready_at: record.ready_at,
    ended_at: record.ended_at,
    exit_code: record.exit_code,
    stop_reason: record.stop_reason,
    readiness: readinessOf(record),
    readiness_detail: record.ready_at === null ? (more.detail ?? null) : null,
    restart_policy: record.restart_policy,
    restart_count: record.restart_count,
    published_ports: more.ports,
    stdout_bytes: more.bytes.stdout,
    stderr_bytes: more.bytes.stderr,
    execution_mode: 'guest',
  };
}

/** Its probes, the cheapest first. */
export function readinessOf(record: ServiceRecord): ReadinessView[] {
  const probes: { readonly type: ReadinessView['type']; readonly target: string | null }[] = [
    { type: 'file', target: record.ready_file },
    { type: 'tcp', target: record.ready_tcp },
    { type: 'http', target: record.ready_http },
    { type: 'command', target: record.ready_command },
  ];
  return probes.flatMap(({ type, target }) => (target === null ? [] : [{ type, target }]));
}
