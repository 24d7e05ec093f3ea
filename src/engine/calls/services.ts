// Services of a workspace as operations call them.

import type { WorkspaceCall } from '../../contract/call.ts';
import type { ServiceRecord } from '../../contract/records.ts';
import type {
  ServiceListInput,
  ServiceListOutput,
  ServiceLogsInput,
  ServiceLogsOutput,
  ServiceStartInput,
  ServiceStatusInput,
  ServiceStopInput,
  ServiceView,
} from '../../contract/services.ts';
import { secretWords } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { type NetworkCeiling, permitsPorts } from '../../shared/policy-types.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { notePorts, noteSecretsFor } from '../output/audit-notes.ts';
import type { Service } from '../services/service.ts';
import { readServiceLogs } from '../services/service-logs.ts';
import { isAlive } from '../services/service-record.ts';
import { baseEnvironment, guestPath, workspacePath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { refuseInRecord } from '../workspace/workspace-secrets.ts';
import { reconnect } from './reconnect.ts';

const progressMs = 1000;

/** Starts a service and waits until it is ready, has failed, or `wait_seconds` are over. A cancelled start leaves none. */
export async function startService(
  workspace: Workspace,
  request: ServiceStartInput,
  call: WorkspaceCall,
): Promise<ServiceView> {
  const record = draftOf(workspace, request, call.network);
  return await workspace.use(call, async ({ guest }) => {
    const service = await workspace.tenants.services.start(guest.client, record);
    await noteSecretsFor(workspace.audit, request.secret_env, `the service ${record.name}`);
    await notePorts(workspace.audit, service.view(workspace.record.id));
    try {
      await waitForReady(service, request.wait_seconds * 1000, call);
    } catch (error) {
      await service.stop(new AbortController().signal);
      throw error;
    }
    return service.view(workspace.record.id);
  });
}

export function listServices(workspace: Workspace, _input: ServiceListInput): ServiceListOutput {
  const services = workspace.tenants.services.all().map((service) => service.view(workspace.record.id));
  return {
    workspace_id: workspace.record.id,
    count: services.length,
    running_count: services.filter(isAlive).length,
    services,
  };
}

export async function statusOfService(
  workspace: Workspace,
  { service_name: name }: ServiceStatusInput,
  call: CallContext,
): Promise<ServiceView> {
  const service = await followed(workspace, name, call);
  return service.view(workspace.record.id);
}

export async function logsOfService(
  workspace: Workspace,
  request: ServiceLogsInput,
  call: CallContext,
): Promise<ServiceLogsOutput> {
  const service = await followed(workspace, request.service_name, call);
  await workspace.touch();
  return await readServiceLogs(workspace.record.id, service, request, call.signal);
}

/** Stopping a service that has ended changes nothing. */
export async function stopService(
  workspace: Workspace,
  { service_name: name }: ServiceStopInput,
  call: CallContext,
): Promise<ServiceView> {
  const service = workspace.tenants.services.get(name);
  if (isAlive(service.record)) await workspace.use(call, () => service.stop(call.signal));
  else await service.forgo();
  return service.view(workspace.record.id);
}

/** The record of a new service. A bad request is refused before a guest is started for it. */
function draftOf(workspace: Workspace, request: ServiceStartInput, ceiling: NetworkCeiling | undefined): ServiceRecord {
  const { service_name: name, command, cwd, env, restart_policy, published_ports: ports } = request;
  const { ready_file: file, ready_tcp: tcp, ready_http: http, ready_command: probe } = request;
  if (ports.length > 0) refuseUnpermittedPorts(workspace, ceiling);
  const texts = [name, command, cwd, file, tcp, http, probe].filter((text) => text !== undefined);
  // It is kept on disk so that the service can be restarted; a one-off command needs no such care.
  refuseInRecord(`the service ${name}`, [...texts, ...Object.entries(env).flat()], workspace.secrets);
  return {
    version: 1,
    name,
    command,
    cwd: guestPath(cwd ?? workspacePath),
    env: { ...baseEnvironment(workspace.record), ...workspace.network.variables, ...env },
    secret_env: secretWords(request.secret_env),
    ready_file: file === undefined ? null : guestPath(file),
    ready_tcp: tcp === undefined ? null : tcpAddress(tcp),
    ready_http: http ?? null,
    ready_command: probe ?? null,
    ready_timeout_ms: request.ready_timeout_seconds * 1000,
    ready_interval_ms: request.ready_interval_ms,
    restart_policy,
    ports: ports.map(({ host_port = null, guest_port }) => ({ host_port, guest_port, given_port: null })),
    is_wanted: true,
    state: 'starting',
    stop_reason: null,
    process: null,
    pid: null,
    base: { stdout: 0, stderr: 0 },
    started_at: Date.now() / 1000,
    ready_at: null,
    ended_at: null,
    exit_code: null,
    restart_count: 0,
    attempts: 0,
  };
}

/**
 * A port is a way in, on the loopback of this machine; by it nothing leaves the guest, so that no policy of the
 * workspace has to open a way out for it. What a server permits holds all the same.
 */
function refuseUnpermittedPorts(workspace: Workspace, ceiling: NetworkCeiling | undefined): void {
  if (ceiling === undefined || permitsPorts(ceiling.policy)) return;
  // The creator of the workspace has granted them.
  if (permitsPorts(workspace.record.network_policy)) return;
  throw new PyroError(
    'ports_unavailable',
    `this server allows the network policy ${ceiling.policy}, which allows no ports`,
    {
      hint: `start the service without published_ports, or have the person who runs the server start it with --network-policy ${ceiling.policy === 'off' ? 'published-ports' : 'egress+published-ports'}`,
    },
  );
}

/** A bare port means the guest itself. */
function tcpAddress(text: string): string {
  return /^\d+$/.test(text) ? `:${text}` : text;
}

async function waitForReady(service: Service, waitMs: number, call: CallContext): Promise<void> {
  const deadline = performance.now() + waitMs;
  const { name } = service.record;
  let isSettled = false;
  const settled = service.settled.then(() => {
    isSettled = true;
  });
  for (;;) {
    const left = deadline - performance.now();
    await waitForAny([settled], Math.max(0, Math.min(progressMs, left)), call.signal);
    if (isSettled || left <= progressMs) return;
    const { readiness_detail: detail } = service.view('');
    call.onProgress({ phase: 'service', message: `${name}: not ready yet${detail === null ? '' : `, ${detail}`}` });
  }
}

async function followed(workspace: Workspace, name: string, call: CallContext): Promise<Service> {
  const service = workspace.tenants.services.get(name);
  await reconnect(workspace, isAlive(service.record) && workspace.guest?.client.isOpen === false, call);
  return service;
}
