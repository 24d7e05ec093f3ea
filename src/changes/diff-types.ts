// What a diff says, as data: the shapes that operations show.
import type { OmittedPath } from './import-trees.ts';
import type { IgnoredCount } from './listed-changes.ts';

export type DiffStatus = 'added' | 'modified' | 'deleted' | 'renamed' | 'type_changed' | 'mode_changed';

export interface DiffEntry {
  /** Relative to /workspace; bytes that are no UTF-8 are replaced */
  readonly path: string;
  readonly status: DiffStatus;
  /** What stands there now, or stood there when it is deleted; `other` is a device, a socket or a pipe */
  readonly artifact_type: 'file' | 'symlink' | 'other';
  /** Name before a rename */
  readonly old_path: string | null;
  /** Type and permission bits as six octal digits, as they stand in the guest */
  readonly old_mode: string | null;
  readonly new_mode: string | null;
  /** Lines added and taken away; null for what is not text */
  readonly additions: number | null;
  readonly deletions: number | null;
  readonly is_binary: boolean;
  /** Size of a file whose content was not looked into, since it is larger than was asked for, `bytes`; null for all others */
  readonly left_out_bytes: number | null;
}

export interface DiffSummary {
  readonly total: number;
  readonly added: number;
  readonly modified: number;
  readonly deleted: number;
  readonly renamed: number;
  readonly type_changed: number;
  readonly mode_changed: number;
  /** Entries that stand in the patch as text */
  readonly text_patched: number;
  readonly non_text: number;
}

/** Disposing removes the patch file. */
export interface DiffResult extends AsyncDisposable {
  readonly changed: boolean;
  /** Stands for all that changed: names, modes and contents, of files too large to look into their sizes */
  readonly digest: string;
  readonly summary: DiffSummary;
  readonly entries: readonly DiffEntry[];
  /** Always UTF-8 and always valid for `git apply --binary`; absent when only statistics were asked for */
  readonly patch: { readonly file: string; readonly bytes: number } | undefined;
  /** New files and links that were left out by the project's rules */
  readonly ignored: IgnoredCount;
  /** Changed paths that Git cannot hold at all, with the reason */
  readonly omitted: readonly OmittedPath[];
}

export function summarize(entries: readonly DiffEntry[], inPatch: ReadonlySet<DiffEntry>): DiffSummary {
  const count = (status: DiffStatus): number => entries.filter((entry) => entry.status === status).length;
  const textPatched = entries.filter((entry) => inPatch.has(entry) && !entry.is_binary).length;
  return {
    total: entries.length,
    added: count('added'),
    modified: count('modified'),
    deleted: count('deleted'),
    renamed: count('renamed'),
    type_changed: count('type_changed'),
    mode_changed: count('mode_changed'),
    text_patched: textPatched,
    non_text: entries.length - textPatched,
  };
}
