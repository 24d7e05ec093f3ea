// The record of a service on disk, and the service as users see it.
import type { ServiceRecord } from '../../contract/records.ts';
import type { PublishedPortView, ReadinessView, ServiceView } from '../../contract/services.ts';

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
