// What of a workspace's life goes into its audit log, in the words that are kept there.
import type { WorkspaceRecord } from '../../contract/records.ts';
import type { ServiceView } from '../../contract/services.ts';
import type { NetworkOutput } from '../../contract/workspaces.ts';
import type { AuditLog } from './audit.ts';

type Attempt = NetworkOutput['attempts'][number];

export function noteAttempt(audit: AuditLog, attempt: Attempt): void {
  const { name, port, address, verdict, rule, reason, bytes_in: into, bytes_out: out } = attempt;
  const target = port === null ? name : `${name}:${port}`;
  const what =
    verdict === 'allowed'
      ? `${target} (${address}), ${into ?? 0} bytes came back`
      : `${target} ${verdict}: ${reason ?? rule}`;
  void audit.noteConnection(what, verdict === 'allowed' ? 'out' : 'way', out ?? 0);
}

/** What a new workspace was given. */
export async function noteCreated(audit: AuditLog, record: WorkspaceRecord): Promise<void> {
  const { seed, secrets, network_policy: policy, network_grant: grant, package_sources: packages } = record;
  if (seed.mode !== 'empty') {
    const what = `${seed.origin_kind}: ${seed.seed_path ?? seed.origin_ref ?? ''}`;
    await audit.note({ kind: 'seed', direction: 'in', what, files: seed.entry_count, bytes: seed.bytes_written });
  }
  for (const { name, source_kind: source } of secrets)
    await audit.note({ kind: 'secret', direction: 'in', what: `${name}, from a ${source}` });
  if (policy !== 'off') {
    const allowed = grant.limits.map((list) => (list === null ? 'public addresses' : list.join(', '))).join('; ');
    await audit.note({ kind: 'network', direction: 'way', what: `granted: ${policy}, ${allowed}` });
  }
  if (packages !== 'none')
    await audit.note({ kind: 'network', direction: 'way', what: `granted: package sources of the ${packages}` });
}

/** Ports of this machine that now lead into the workspace. */
export async function notePorts(
  audit: AuditLog,
  service: Pick<ServiceView, 'service_name' | 'published_ports'>,
): Promise<void> {
  for (const { host, host_port: port, guest_port: inside } of service.published_ports) {
    const what = `${host}:${port} opened to port ${inside} of the service ${service.service_name}`;
    await audit.note({ kind: 'port', direction: 'way', what });
  }
}

/** Secrets that a program is started with. */
export async function noteSecretsFor(
  audit: AuditLog,
  names: Readonly<Record<string, string>>,
  program: string,
): Promise<void> {
  for (const name of Object.keys(names))
    await audit.note({ kind: 'secret', direction: 'in', what: `${name}, to ${program}` });
}
