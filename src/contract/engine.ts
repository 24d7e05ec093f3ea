// What the engine offers and the shapes that cross it; operations see these types and nothing else of the engine.
import type { Readable, Writable } from 'node:stream';
import type { CallContext } from '../shared/call-context.ts';
import type { Hosts } from '../shared/host-types.ts';
import type { NetworkCeiling, PackageSourceKind } from '../shared/policy-types.ts';
import type { DeniedConnection } from './commands-requests.ts';
import type { Workspaces } from './workspaces-requests.ts';

/** Live streams of a front: output is shown as it comes, or belongs into the result where there is no stream for it. */
export interface RunIo {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Size of the terminal when both ends are one */
  readonly terminal: { readonly cols: number; readonly rows: number } | undefined;
  /** Called when the command runs; gives back what undoes it */
  readonly onStarted: (control: RunControl) => () => void;
}

export interface RunControl {
  readonly signal: (name: string) => void;
  readonly resize: (size: { cols: number; rows: number }) => void;
  /** Command that follows it on for somebody who leaves; absent where it ends with its caller */
  readonly followedBy?: string | undefined;
}

export interface RunRequest {
  readonly environment: string;
  readonly argv: readonly string[];
  readonly vcpuCount: number;
  readonly memMib: number;
  /** Limit for the command, `ms`; none when absent */
  readonly timeoutMs: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly user: string | undefined;
  readonly isCold: boolean;
  /** Folder, checkout or archive of the host for /workspace; absolute, permitted */
  readonly seedPath: string | undefined;
  readonly networkPolicy: 'off' | 'egress';
  readonly allow: readonly string[];
  readonly packageSources: PackageSourceKind;
  /** The most that the server permits; no limit at the command line */
  readonly ceiling: NetworkCeiling | undefined;
  readonly allowHostCompat: boolean;
  /** Most of each stream that the result may hold, head and tail together, `bytes` */
  readonly outputBytes: number;
}

export interface RunResult {
  readonly vm_id: string;
  readonly environment: string;
  readonly environment_version: string;
  readonly command: string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly stdout_truncated: boolean;
  readonly stderr_truncated: boolean;
  readonly is_utf8: boolean;
  readonly exit_code: number;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  readonly boot_ms: number;
  readonly boot_source: 'template' | 'cold' | 'none';
  readonly execution_mode: 'guest' | 'host_compat';
  readonly accelerator: 'kvm' | 'tcg' | 'none';
  /** Connections that were refused while it ran */
  readonly denied_connections: DeniedConnection[];
  /** Why it could reach nothing, when its output shows that it tried without a network */
  readonly network_note: string | null;
  /** Where a program is that was not found */
  readonly program_note: string | null;
  readonly cleanup: { readonly deleted: boolean; readonly reason: string };
}

export interface DemoStep {
  readonly step: string;
  readonly ms: number;
  readonly note: string;
}

export interface PrepareResult {
  readonly environment: string;
  readonly digest: string;
  readonly accelerator: string;
  /** False when everything was there */
  readonly built: boolean;
  readonly template_ms: number;
  readonly start_ms: number;
  readonly reset_ms: number;
  readonly total_ms: number;
}

export interface DoctorCheck {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly why: string;
  /** Command or step that mends it */
  readonly fix: string | null;
}

export interface EnvironmentSummary {
  readonly name: string;
  readonly reference: string;
  readonly description: string;
  readonly installed: boolean;
  readonly source: 'registry' | 'packages' | null;
  readonly digest: string | null;
  readonly image_bytes: number | null;
  readonly created_at: string | null;
}

export interface EnvironmentDetails extends EnvironmentSummary {
  readonly layers: number;
  readonly packages: string[];
  readonly env: string[];
  readonly working_dir: string;
  readonly user: string;
  readonly path: string | null;
}

export interface PullResult {
  readonly name: string;
  readonly outcome: 'pulled' | 'built' | 'up_to_date' | 'changed';
  readonly source: 'registry' | 'packages';
  readonly digest: string;
  readonly previous_digest: string | null;
  readonly image_bytes: number;
  readonly note: string | null;
}

export interface PruneResult {
  /** What came free, or would come free, `bytes` */
  readonly freed_bytes: number;
  readonly removed: string[];
}

/** What of one kind lies on the disk of this machine. */
export interface StorageUse {
  readonly kind: string;
  readonly path: string;
  /** Things of this kind; null where they are not counted */
  readonly count: number | null;
  /** Room on the disk, `bytes` */
  readonly bytes: number;
}

export interface Engine {
  /** Only in the process that owns the guests */
  readonly workspaces: Workspaces | undefined;
  /** Configuration of the chat hosts of this user */
  readonly hosts: Hosts;
  run(request: RunRequest, io: RunIo | undefined, context: CallContext): Promise<RunResult>;
  demo(environment: string, context: CallContext): Promise<{ accelerator: string; reason: string; steps: DemoStep[] }>;
  prepare(environment: string, isForced: boolean, context: CallContext): Promise<PrepareResult>;
  doctor(environment: string, context: CallContext): Promise<DoctorCheck[]>;
  listEnvironments(): Promise<EnvironmentSummary[]>;
  inspectEnvironment(name: string): Promise<EnvironmentDetails>;
  pullEnvironment(name: string, source: 'auto' | 'registry' | 'packages', context: CallContext): Promise<PullResult>;
  /** With `isDryRun` it only tells */
  pruneEnvironments(
    request: { readonly isAll: boolean; readonly isDryRun: boolean },
    context: CallContext,
  ): Promise<PruneResult>;
  /** Defaults of this user, by field, and the file that holds them. Throws `usage` for one that cannot be read. */
  readSettings(): Promise<{ path: string; stored: Readonly<Record<string, unknown>> }>;
  writeSettings(settings: Readonly<Record<string, unknown>>): Promise<void>;
  /** Room that the cache and the state of this user take */
  storage(context: CallContext): Promise<StorageUse[]>;
}
