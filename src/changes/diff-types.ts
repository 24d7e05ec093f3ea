// What a diff says, as data: the shapes that operations show.
import { z } from 'zod';
import type { OmittedPath } from './import-trees.ts';
import type { IgnoredCount } from './listed-changes.ts';

const statusSchema = z.enum(['added', 'modified', 'deleted', 'renamed', 'type_changed', 'mode_changed']);
export type DiffStatus = z.infer<typeof statusSchema>;

export const diffEntrySchema = z
  .object({
    /** Relative to /workspace; bytes that are not UTF-8 are replaced */
    path: z.string(),
    status: statusSchema,
    /** What is there now, or stood there when it is deleted; `other` is a device, a socket or a pipe */
    artifact_type: z.enum(['file', 'symlink', 'other']),
    /** Name before a rename */
    old_path: z.string().nullable(),
    /** Type and permission bits as six octal digits, as they are in the guest */
    old_mode: z.string().nullable(),
    new_mode: z.string().nullable(),
    /** Lines added and taken away; null for what is not text */
    additions: z.number().nullable(),
    deletions: z.number().nullable(),
    is_binary: z.boolean(),
    /** Size of a file whose content was not looked into, since it is larger than was asked for, `bytes`; null for all others */
    left_out_bytes: z.number().nullable(),
  })
  .readonly();
export type DiffEntry = z.infer<typeof diffEntrySchema>;

export interface LineCounts {
  readonly additions: number;
  readonly deletions: number;
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
  /** What keeps a file of this size out of it */
  readonly whyLeftOut: (size: number) => string;
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

/** Lines added and taken away, over all entries. */
export function countLines(entries: readonly DiffEntry[]): LineCounts {
  const sum = (side: keyof LineCounts): number => entries.reduce((total, entry) => total + (entry[side] ?? 0), 0);
  return { additions: sum('additions'), deletions: sum('deletions') };
}
