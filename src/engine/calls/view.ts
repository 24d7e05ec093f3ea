// A workspace's record as users see it.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  keptOf,
  type StatusInput,
  type StatusOutput,
  type UpdateInput,
  type WorkspaceView,
} from '../../contract/workspaces.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
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
    ...keptOf(record),
    created_at: record.created_at,
    last_activity_at: record.last_activity_at,
    expires_at: isMortal ? record.last_activity_at + record.ttl_seconds : null,
    ...workspace.shownState,
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
    note: record.note,
  };
}

/** What is not in the record is asked of the guest, but no guest is started for that. */
export async function statusOf(workspace: Workspace, _input: StatusInput, context: CallContext): Promise<StatusOutput> {
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

/** Changes the name and the labels. Throws `usage` for an invalid label. */
export async function updateWorkspace(
  workspace: Workspace,
  { name, clear_name: clearsName, labels, clear_labels: cleared }: UpdateInput,
): Promise<WorkspaceView> {
  const { record, secrets } = workspace;
  const kept = Object.entries(record.labels).filter(([key]) => !cleared.includes(key));
  await workspace.update({
    name: clearsName ? null : name === undefined ? record.name : secrets.maskText(name),
    labels: { ...Object.fromEntries(kept), ...maskLabels(checkLabels(labels), secrets) },
  });
  return viewOf(workspace);
}

/** The labels with stars for secrets, keys included: they are shown in every list. */
export function maskLabels(labels: Readonly<Record<string, string>>, secrets: SecretSet): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [secrets.maskText(key), secrets.maskText(value)]),
  );
}

const labelKey = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The labels. Throws `usage` for an invalid one. */
export function checkLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  for (const [key, value] of Object.entries(labels)) {
    if (!labelKey.test(key)) {
      throw new PyroError('usage', `labels: ${JSON.stringify(key.slice(0, 80))} is not a label key`, {
        hint: 'a key has 1 to 64 letters, digits, dots, hyphens and underscores and begins with a letter or digit',
      });
    }
    if (value.length > 120 || /[\r\n]/.test(value)) {
      throw new PyroError('usage', `labels: the value of ${key} is longer than 120 characters or has a line break`);
    }
  }
  return { ...labels };
}
