// Services as operations see them.
import type { CallContext } from '../shared/call-context.ts';
import type { WorkspaceCall } from './workspaces-requests.ts';

export interface PortRequest {
  /** Any free one when absent */
  readonly hostPort: number | undefined;
  readonly guestPort: number;
}

export type RestartPolicy = 'never' | 'on-failure' | 'always';
export type ServiceState = 'starting' | 'running' | 'restarting' | 'exited' | 'stopped' | 'failed';

export interface ServiceStartRequest {
  readonly name: string;
  readonly command: string;
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Secrets of the workspace, each `NAME` or `NAME=VARIABLE` */
  readonly secretEnv: readonly string[];
  readonly readyFile: string | undefined;
  readonly readyTcp: string | undefined;
  readonly readyHttp: string | undefined;
  readonly readyCommand: string | undefined;
  readonly readyTimeoutMs: number;
  readonly readyIntervalMs: number;
  readonly restartPolicy: RestartPolicy;
  readonly publishedPorts: readonly PortRequest[];
  /** Longest wait for readiness; the service goes on afterwards, `ms` */
  readonly waitMs: number;
}

export interface ReadinessView {
  readonly type: 'file' | 'tcp' | 'http' | 'command';
  readonly target: string;
}

export interface PublishedPortView {
  readonly host: string;
  readonly host_port: number;
  readonly guest_port: number;
  readonly protocol: 'tcp';
}

/** Times are seconds since 1970, with fractions. */
export interface ServiceView {
  readonly workspace_id: string;
  readonly service_name: string;
  readonly state: ServiceState;
  readonly command: string;
  readonly cwd: string;
  readonly pid: number | null;
  readonly started_at: number;
  readonly ready_at: number | null;
  readonly ended_at: number | null;
  readonly exit_code: number | null;
  readonly stop_reason: string | null;
  /** Probes, all of which must hold */
  readonly readiness: ReadinessView[];
  /** What the last probe saw that did not hold */
  readonly readiness_detail: string | null;
  readonly restart_policy: RestartPolicy;
  readonly restart_count: number;
  readonly published_ports: PublishedPortView[];
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
  readonly execution_mode: 'guest';
}

export interface ServiceLogsRequest {
  readonly name: string;
  readonly stream: 'stdout' | 'stderr' | 'both';
  /** Byte offset in one stream; the newest lines without it */
  readonly cursor: number | undefined;
  readonly tailLines: number;
  /** True for all that is kept, whatever the lines */
  readonly isAll: boolean;
  /** Most bytes of one stream */
  readonly limit: number;
  readonly waitMs: number;
}

export interface ServiceLogsResult extends ServiceView {
  readonly stdout: string;
  readonly stderr: string;
  readonly tail_lines: number;
  /** True when older output than shown is kept, or newer follows next_cursor */
  readonly truncated: boolean;
  readonly is_utf8: boolean;
  /** Bytes at the cursor that are no longer kept */
  readonly dropped_bytes: number;
  /** Where the next call goes on; null without a cursor, and at the end of a service that is over */
  readonly next_cursor: number | null;
}

export interface ServiceListResult {
  readonly workspace_id: string;
  readonly count: number;
  readonly running_count: number;
  readonly services: ServiceView[];
}

export interface WorkspaceServices {
  start(id: string, request: ServiceStartRequest, call: WorkspaceCall): Promise<ServiceView>;
  list(id: string): Promise<ServiceListResult>;
  status(id: string, name: string, call: CallContext): Promise<ServiceView>;
  logs(id: string, request: ServiceLogsRequest, call: CallContext): Promise<ServiceLogsResult>;
  stop(id: string, name: string, call: CallContext): Promise<ServiceView>;
}
