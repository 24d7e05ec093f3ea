// A workspace's record as users see it.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkspaceStatus, WorkspaceView } from '../../contract/workspaces-requests.ts';
import type { CallContext } from '../../shared/call-context.ts';
import type { Workspace } from '../workspace/workspace.ts';

export function viewOf(workspace: Workspace, restarted = false): WorkspaceView {
  const { record } = workspace;
  const isMortal = record.ttl_seconds > 0 && record.state === 'started';
  return {
    workspace_id: record.id,
    name: record.name,
    labels: record.labels,
    environment: record.environment,
    environment_version: record.environment_digest,
    vcpu_count: record.vcpu_count,
    mem_mib: record.mem_mib,
    disk_mib: record.disk_mib,
    ttl_seconds: record.ttl_seconds,
    created_at: record.created_at,
    last_activity_at: record.last_activity_at,
    expires_at: isMortal ? record.last_activity_at + record.ttl_seconds : null,
    state: record.state,
    stop_reason: record.stop_reason,
    network_policy: record.network_policy,
    package_sources: record.package_sources,
    secrets: record.secrets,
    execution_mode: 'guest',
    workspace_path: '/workspace',
    workspace_seed: record.seed,
    command_count: record.command_count,
    last_command: record.last_command,
    reset_count: record.reset_count,
    last_reset_at: record.last_reset_at,
    service_count: workspace.tenants.services.count,
    running_service_count: workspace.tenants.services.runningCount,
    restarted,
  };
}

/** What the record does not hold is asked of the guest, which is not started for that. */
export async function statusOf(workspace: Workspace, context: CallContext): Promise<WorkspaceStatus> {
  const { record, guest, files } = workspace;
  const status = await guest?.client.status({ signal: context.signal, timeoutMs: 3000 }).catch(() => undefined);
  context.signal.throwIfAborted();
  const disk = await stat(join(files.folder, record.disk)).catch(() => undefined);
  return {
    ...viewOf(workspace),
    accelerator: record.guest?.accelerator ?? 'none',
    idle_seconds: Math.round(workspace.idleSeconds),
    memory_used_bytes: status === undefined ? null : status.memory_total_bytes - status.memory_available_bytes,
    disk_used_bytes: disk === undefined ? 0 : disk.blocks * 512,
    processes: status?.processes ?? null,
    running_sequences: workspace.runs.sequences,
  };
}
