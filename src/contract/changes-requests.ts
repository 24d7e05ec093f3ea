// Files and changes of a workspace as operations see them: requests in, plain data out.
import type { RunIo } from './engine.ts';

/** Each occurrence of a text becomes another. */
export interface TextEdit {
  readonly oldText: string;
  readonly newText: string;
  /** How many there must be; at least one where it is absent */
  readonly expectedCount: number | undefined;
}

export interface FileEntryView {
  readonly path: string;
  readonly artifact_type: 'file' | 'directory' | 'symlink' | 'other';
  readonly size_bytes: number;
  readonly mode: string;
  readonly modified_at: number;
  readonly link_target: string | null;
}

export interface FileReadRequest {
  readonly path: string;
  readonly maxBytes: number;
  readonly offset: number | undefined;
  readonly startLine: number | undefined;
  readonly endLine: number | undefined;
}

export interface FileReadResult {
  readonly workspace_id: string;
  readonly path: string;
  readonly size_bytes: number;
  readonly max_bytes: number;
  readonly offset: number;
  readonly next_offset: number | null;
  readonly first_line: number | null;
  readonly encoding: 'utf-8' | 'base64';
  readonly content: string;
  readonly truncated: boolean;
  readonly mode: string;
}

export interface FileWriteRequest {
  readonly path: string;
  readonly content: Uint8Array | undefined;
  readonly isAppend: boolean;
  readonly mode: number | undefined;
  /** In place of a content */
  readonly edits: readonly TextEdit[] | undefined;
}

export interface FileWriteResult {
  readonly workspace_id: string;
  readonly path: string;
  readonly size_bytes: number;
  readonly bytes_written: number;
  readonly replaced_count: number | null;
  readonly created: boolean;
}

export interface PatchEntry {
  readonly path: string;
  readonly status: string;
}

export interface PatchResult {
  readonly workspace_id: string;
  readonly changed: boolean;
  readonly summary: Readonly<Record<string, number>>;
  readonly entries: PatchEntry[];
}

export interface DiffRequest {
  readonly path: string | undefined;
  readonly isStatOnly: boolean;
  readonly base: string;
  readonly hasSystem: boolean;
  /** True when new files that the project's rules ignore are wanted too */
  readonly hasIgnored: boolean;
  /** Size up to which a file is looked into, `bytes`; undefined for what a patch can hold */
  readonly maxFileBytes: number | undefined;
  /** Where to go on in a diff that was made before, as its `next_cursor` said */
  readonly cursor: string | undefined;
  readonly maxBytes: number;
  readonly entryLimit: number;
}

export interface DiffEntry {
  readonly path: string;
  readonly status: string;
  readonly artifact_type: string;
  readonly old_path: string | null;
  readonly old_mode: string | null;
  readonly new_mode: string | null;
  readonly additions: number | null;
  readonly deletions: number | null;
  readonly is_binary: boolean;
  readonly left_out_bytes: number | null;
}

export interface IgnoredCount {
  readonly files: number;
  readonly bytes: number;
}

export interface DiffResult {
  readonly workspace_id: string;
  readonly base: string;
  readonly changed: boolean;
  readonly summary: Readonly<Record<string, number>>;
  readonly entries: DiffEntry[];
  readonly entries_truncated: boolean;
  readonly patch: string;
  readonly patch_bytes: number;
  readonly next_cursor: string | null;
  /** New files that the project's rules leave out */
  readonly ignored: IgnoredCount;
  /** Files that the patch does not bring: too large for what was asked, or of a kind that Git cannot hold */
  readonly left_out: { readonly path: string; readonly reason: string }[];
  readonly left_out_count: number;
  /** Paths outside /workspace that changed; null when not asked for */
  readonly system_changes: PatchEntry[] | null;
}

export interface ExportRequest {
  readonly path: string;
  readonly outputPath: string;
  readonly format: 'files' | 'tar' | 'patch';
  readonly isOverwrite: boolean;
  /** True when it goes into what stands there, as a copy does; a link in its place is replaced and not followed */
  readonly isMerge?: boolean;
  readonly hasGit: boolean;
  readonly hasIgnored: boolean;
}

export interface CopyRequest {
  /** True for what comes out of the workspace */
  readonly isOut: boolean;
  /** Path in the guest, with the slash or the `/.` at its end */
  readonly guest: string;
  /** Absolute path of the host likewise; undefined for standard input or output */
  readonly host: string | undefined;
  readonly io: RunIo | undefined;
}

export interface CopyResult {
  readonly workspace_id: string;
  readonly source: string;
  readonly target: string;
  readonly artifact_type: 'file' | 'directory' | 'symlink';
  readonly entry_count: number;
  readonly written_count: number;
  readonly bytes_written: number;
  readonly skipped: PatchEntry[];
}

export interface ExportResult {
  readonly workspace_id: string;
  readonly workspace_path: string;
  readonly output_path: string;
  readonly format: string;
  readonly artifact_type: 'file' | 'directory' | 'symlink';
  readonly entry_count: number;
  readonly bytes_written: number;
  /** Entries that cannot stand on the host, with the reason; the first hundred */
  readonly skipped: PatchEntry[];
  /** New files that the project's rules leave out */
  readonly ignored: IgnoredCount;
}

export interface ApplyRequest {
  readonly path: string | undefined;
  /** Absolute folder of the host; undefined for the seed's own */
  readonly target: string | undefined;
  readonly hasIgnored: boolean;
  readonly isCheck: boolean;
  readonly isThreeWay: boolean;
}

export interface ApplyResult {
  readonly workspace_id: string;
  readonly target_path: string;
  readonly checked_only: boolean;
  readonly changes: PatchEntry[];
  readonly changes_truncated: boolean;
  readonly changed_count: number;
  readonly conflict_count: number;
  readonly already_count: number;
  readonly additions: number;
  readonly deletions: number;
  readonly ignored: IgnoredCount;
  readonly left_out: { readonly path: string; readonly reason: string }[];
}

export interface SyncRequest {
  readonly sourcePath: string;
  readonly destination: string;
  readonly isDelete: boolean;
  readonly isDryRun: boolean;
}

export interface SyncResult {
  readonly workspace_id: string;
  readonly workspace_sync: {
    readonly mode: string;
    readonly source_path: string;
    readonly destination: string;
    readonly entry_count: number;
    readonly written_count: number;
    readonly deleted_count: number;
    readonly bytes_written: number;
    readonly dry_run: boolean;
    readonly changes: PatchEntry[];
    readonly changes_truncated: boolean;
  };
}
