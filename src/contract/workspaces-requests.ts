// Workspaces as operations see them: requests in, plain data out; fields of results have the names that users see.

import type { CallContext } from '../shared/call-context.ts';
import type { HostPathPolicy, NetworkCeiling, PackageSourceKind, ProjectSource } from '../shared/policy-types.ts';
import type {
  ApplyRequest,
  ApplyResult,
  CopyRequest,
  CopyResult,
  DiffEntry,
  DiffRequest,
  DiffResult,
  ExportRequest,
  ExportResult,
  FileEntryView,
  FileReadRequest,
  FileReadResult,
  FileWriteRequest,
  FileWriteResult,
  IgnoredCount,
  PatchResult,
  SyncRequest,
  SyncResult,
} from './changes-requests.ts';
import type { ExecRequest, ExecResult, FollowRequest, LogsRequest, LogsResult } from './commands-requests.ts';

import type { WorkspaceServices } from './services-requests.ts';
import type { WorkspaceShells } from './shells-requests.ts';

export type WorkspaceState = 'started' | 'stopped' | 'damaged';
export type NetworkPolicy = 'off' | 'egress' | 'egress+published-ports';

export interface WorkspaceCall extends CallContext {
  readonly hostPaths: HostPathPolicy;
  readonly project: ProjectSource | undefined;
  /** The most that a workspace may reach; no limit at the command line */
  readonly network: NetworkCeiling | undefined;
}

export interface SeedView {
  readonly mode: 'empty' | 'git' | 'directory' | 'tar_archive';
  readonly seed_path: string | null;
  readonly destination: string;
  readonly origin_kind: string;
  readonly origin_ref: string | null;
  readonly commit: string | null;
  readonly branch: string | null;
  readonly dirty: boolean | null;
  readonly entry_count: number;
  readonly bytes_written: number;
  /** Counts of what was left out, by reason */
  readonly left_out: Readonly<Record<string, number>>;
}

export interface LastCommand {
  readonly sequence: number;
  readonly command: string;
  readonly cwd: string;
  readonly exit_code: number | null;
  readonly duration_ms: number;
  readonly execution_mode: 'guest';
}

/** Times are seconds since 1970, with fractions. */
export interface WorkspaceView {
  readonly workspace_id: string;
  readonly name: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: string;
  readonly environment_version: string;
  readonly vcpu_count: number;
  readonly mem_mib: number;
  readonly disk_mib: number;
  readonly ttl_seconds: number;
  readonly created_at: number;
  readonly last_activity_at: number;
  /** When idleness stops it; null for never */
  readonly expires_at: number | null;
  readonly state: WorkspaceState;
  readonly stop_reason: string | null;
  readonly network_policy: NetworkPolicy;
  readonly package_sources: PackageSourceKind;
  readonly secrets: { name: string; source_kind: 'literal' | 'file' }[];
  readonly execution_mode: 'guest';
  readonly workspace_path: '/workspace';
  readonly workspace_seed: SeedView;
  readonly command_count: number;
  readonly last_command: LastCommand | null;
  readonly reset_count: number;
  readonly last_reset_at: number | null;
  readonly service_count: number;
  readonly running_service_count: number;
  /** True when this call had to start the guest from its disk */
  readonly restarted: boolean;
}

export interface WorkspaceStatus extends WorkspaceView {
  readonly accelerator: string;
  readonly idle_seconds: number;
  readonly memory_used_bytes: number | null;
  readonly disk_used_bytes: number;
  readonly processes: number | null;
  readonly running_sequences: number[];
}

/** Has a value or a path. */
export interface SecretRequest {
  readonly name: string;
  readonly value: string | undefined;
  /** File of the host */
  readonly path: string | undefined;
}

export interface CreateRequest {
  readonly environment: string | undefined;
  readonly vcpuCount: number;
  readonly memMib: number;
  readonly diskMib: number;
  readonly ttlSeconds: number;
  readonly networkPolicy: NetworkPolicy;
  /** Hosts that may be reached; public addresses when empty */
  readonly allow: readonly string[];
  readonly packageSources: PackageSourceKind;
  readonly seedPath: string | undefined;
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretRequest[];
  /** Longest wait for an environment that is still being pulled or built, `ms` */
  readonly waitMs: number;
}

export interface ListRequest {
  readonly label: string | undefined;
  readonly state: WorkspaceState | undefined;
  /** Folder of the host that they came from */
  readonly folder?: string | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface UpdateRequest {
  readonly name: string | undefined;
  readonly clearName: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly clearLabels: readonly string[];
}

export interface SnapshotView {
  readonly workspace_id: string;
  readonly snapshot_name: string;
  readonly kind: 'baseline' | 'named';
  readonly created_at: number;
  /** What its own layer holds, `bytes` */
  readonly changed_bytes: number;
  readonly deletable: boolean;
}

export interface DiskExportRequest {
  readonly outputPath: string;
  readonly format: 'raw' | 'qcow2' | 'tar';
  readonly path: string;
  readonly isOverwrite: boolean;
}

export interface NetworkResult {
  readonly workspace_id: string;
  readonly network_policy: NetworkPolicy;
  readonly attempts: {
    readonly sequence: number;
    readonly time: string;
    readonly name: string;
    readonly address: string | null;
    readonly port: number | null;
    readonly verdict: string;
    readonly rule: string;
    readonly reason: string | null;
    readonly bytes_in: number | null;
    readonly bytes_out: number | null;
    readonly process: string | null;
  }[];
  readonly next_cursor: number | null;
}

export interface SummaryResult {
  readonly workspace_id: string;
  readonly name: string | null;
  readonly since: number;
  readonly outcome: string;
  readonly commands: LastCommand[];
  readonly command_count: number;
  readonly failed_count: number;
  readonly files: DiffEntry[];
  readonly file_count: number;
  readonly additions: number;
  readonly deletions: number;
  readonly ignored: IgnoredCount;
  /** What no diff or apply brings, with the reason */
  readonly left_out: { readonly path: string; readonly reason: string }[];
  readonly exports: string[];
  readonly snapshots: string[];
  readonly resets: number;
  /** What was refused, each target once, the last ones */
  readonly denied_connections: { readonly target: string; readonly reason: string; readonly count: number }[];
  readonly markdown: string;
}

export interface PruneRequest {
  readonly states: readonly WorkspaceState[];
  /** True to delete also what was not brought home */
  readonly isForced: boolean;
  readonly isDryRun: boolean;
}

export interface PruneResult {
  readonly deleted: string[];
  /** Left alone, since their work is nowhere else, or nobody knows */
  readonly kept: {
    readonly workspace_id: string;
    readonly name: string | null;
    readonly is_known: boolean;
    readonly files: number;
    readonly additions: number;
    readonly deletions: number;
  }[];
  readonly freed_bytes: number;
  readonly dry_run: boolean;
}

export interface UnsavedWork {
  readonly files: number;
  readonly additions: number;
  readonly deletions: number;
}

export interface Workspaces {
  /** The id for an id, a unique beginning of one, or a name. Throws `workspace_unknown` or `workspace_ambiguous`. */
  find(reference: string): string;
  create(request: CreateRequest, call: WorkspaceCall): Promise<WorkspaceView>;
  list(request: ListRequest, call: WorkspaceCall): Promise<{ workspaces: WorkspaceView[]; next_cursor: string | null }>;
  status(id: string, call: WorkspaceCall): Promise<WorkspaceStatus>;
  update(id: string, request: UpdateRequest, call: WorkspaceCall): Promise<WorkspaceView>;
  start(id: string, call: WorkspaceCall): Promise<WorkspaceView>;
  stop(id: string, call: WorkspaceCall): Promise<WorkspaceView>;
  /** What was not brought home; undefined where that is not known. */
  unsaved(id: string, call: WorkspaceCall): Promise<UnsavedWork | undefined>;
  /** Gives what was not brought home, as {@link unsaved} does. */
  delete(id: string, call: WorkspaceCall): Promise<UnsavedWork | undefined>;
  prune(request: PruneRequest, call: WorkspaceCall): Promise<PruneResult>;
  exec(id: string, request: ExecRequest, call: WorkspaceCall): Promise<ExecResult>;
  signal(id: string, sequence: number, name: string, call: WorkspaceCall): Promise<void>;
  logs(id: string, request: LogsRequest, call: WorkspaceCall): Promise<LogsResult>;
  /** Shows a command's output live; gives the last line for the person */
  follow(id: string, request: FollowRequest, call: WorkspaceCall): Promise<string>;
  fileList(
    id: string,
    request: { path: string; depth: number; glob: string | undefined; limit: number; cursor: string | undefined },
    call: WorkspaceCall,
  ): Promise<{ path: string; entries: FileEntryView[]; next_cursor: string | null }>;
  fileRead(id: string, request: FileReadRequest, call: WorkspaceCall): Promise<FileReadResult>;
  fileWrite(id: string, request: FileWriteRequest, call: WorkspaceCall): Promise<FileWriteResult>;
  patchApply(id: string, patch: string, call: WorkspaceCall): Promise<PatchResult>;
  diff(id: string, request: DiffRequest, call: WorkspaceCall): Promise<DiffResult>;
  apply(id: string, request: ApplyRequest, call: WorkspaceCall): Promise<ApplyResult>;
  export(id: string, request: ExportRequest, call: WorkspaceCall): Promise<ExportResult>;
  copy(id: string, request: CopyRequest, call: WorkspaceCall): Promise<CopyResult>;
  syncPush(id: string, request: SyncRequest, call: WorkspaceCall): Promise<SyncResult>;
  reset(id: string, snapshot: string, call: WorkspaceCall): Promise<WorkspaceView>;
  snapshotCreate(id: string, name: string, call: WorkspaceCall): Promise<SnapshotView>;
  snapshotList(id: string): Promise<SnapshotView[]>;
  snapshotDelete(id: string, name: string): Promise<void>;
  diskList(
    id: string,
    request: { path: string; depth: number; glob: string | undefined; limit: number; cursor: string | undefined },
    call: WorkspaceCall,
  ): Promise<{ path: string; entries: FileEntryView[]; next_cursor: string | null }>;
  diskRead(id: string, request: FileReadRequest, call: WorkspaceCall): Promise<FileReadResult>;
  diskExport(
    id: string,
    request: DiskExportRequest,
    call: WorkspaceCall,
  ): Promise<{ output_path: string; disk_format: string; bytes_written: number }>;
  network(
    id: string,
    request: { isRefusedOnly: boolean; limit: number; cursor: number | undefined },
  ): Promise<NetworkResult>;
  summary(id: string, call: WorkspaceCall): Promise<SummaryResult>;
  readonly shells: WorkspaceShells;
  readonly services: WorkspaceServices;
}
