// Files of a guest as the host sees them: listings, slices, changes against the baseline, trees in and out.

import type { Readable } from 'node:stream';
import type { CallOptions } from './answers.ts';

export type FileType = 'file' | 'directory' | 'symlink' | 'other';

export interface FileEntry {
  /** Absolute path in the guest; bytes that are not UTF-8 are replaced */
  readonly path: string;
  readonly type: FileType;
  /** Length of a file, `bytes`; 0 for anything else */
  readonly size: number;
  /** Permission bits, 0 to 0o7777 */
  readonly mode: number;
  readonly mtimeMs: number;
  readonly linkTarget: string | undefined;
}

export interface FileListing {
  readonly entries: readonly FileEntry[];
  /** Where the next listing begins, when this one was cut */
  readonly nextCursor: string | undefined;
}

/** Each occurrence of a text becomes another. */
export interface TextEdit {
  readonly oldText: string;
  readonly newText: string;
  /** How many there must be; at least one where it is absent */
  readonly expectedCount: number | undefined;
}

export interface FileSlice {
  readonly bytes: Buffer;
  /** Length of the whole file, `bytes` */
  readonly size: number;
  readonly mode: number;
  /** Offset of the first byte given, `bytes` */
  readonly offset: number;
  /** Number of the first line given, from 1; only when lines were asked for */
  readonly firstLine: number | undefined;
  /** True when the file goes on behind this slice */
  readonly isCut: boolean;
}

/** One side of a change: how a path stood in the baseline, or how it stands now. */
export interface ChangeSide {
  readonly type: FileType;
  readonly mode: number;
  /** Length of what `content` gives, `bytes`: a file's data, a link's target */
  readonly size: number;
  /** True when the content was not sent, since it is larger than was asked for */
  readonly withheld?: true | undefined;
}

/**
 * One changed path. The contents must be read in order, before first, or skipped by asking for the next change.
 * `path` is relative to the scope's root; the client has checked that no part of it is empty, `.`, `..` or has a zero byte.
 */
export interface Change {
  readonly path: Buffer;
  readonly before: ChangeSide | undefined;
  readonly after: ChangeSide | undefined;
  /** What is below a folder that is told in place of it: how many files and links, and their `bytes` */
  readonly folded?: { readonly files: number; readonly bytes: number } | undefined;
  readonly contentBefore: () => AsyncIterable<Buffer>;
  readonly contentAfter: () => AsyncIterable<Buffer>;
  /** Reads over what is left of the contents; true when a file changed meanwhile, so that they are cut or padded */
  readonly isTorn?: () => Promise<boolean>;
}

export interface ChangesRequest {
  /** `workspace`: below /workspace; `system`: everything else on the guest's disk, without contents */
  readonly scope: 'workspace' | 'system';
  readonly hasContent: boolean;
  /** Report these paths too, relative to the scope's root, changed or not; only these when `isExact` */
  readonly paths?: readonly Buffer[];
  readonly isExact?: boolean;
  /** Leave out what lies at or below a folder of this name, such as `.git` */
  readonly excludedNames?: readonly string[];
  /** Only what is at or below this path; the guest looks nowhere else */
  readonly below?: Buffer;
  /** Paths that are not told, nor what is below them; at most {@link mostLeftOut} */
  readonly leftOut?: readonly Buffer[];
  /** Size of a file up to which its content is sent, `bytes`; a larger one is withheld. All are sent unless given */
  readonly largestContent?: number;
  /** Names of files and links that are told; all of them unless given. Folders are told anyway */
  readonly leafNames?: readonly string[];
  /** Folders that are told with a count of what is below them where the seed has none; at most {@link mostLeftOut} */
  readonly folded?: readonly Buffer[];
}

export interface PackRequest {
  /** Absolute path in the guest */
  readonly path: string;
  readonly excludedNames?: readonly string[];
  /** Paths below it that stay behind, with what is below them; at most {@link mostLeftOut} */
  readonly leftOut?: readonly Buffer[];
  /** True for an entry of its name alone for what has an excluded name, and for sockets, pipes and devices */
  readonly hasNames?: boolean;
}

/** Paths of which a request asks at once; a guest takes no more than twice as many */
export const mostAsked = 50_000;

/** Most paths that a request may leave out */
export const mostLeftOut = 100_000;

export interface UnpackRequest {
  /** Absolute folder in the guest, made when missing */
  readonly destination: string;
  /** Paths below the destination that go away with the same call */
  readonly deletedPaths: readonly Buffer[];
  /** Name of the only entry: a link that stands there is followed to what it leads to */
  readonly file?: string;
  /** What must still stand below the destination, as it was seen; else `guest_refused`, and nothing is changed */
  readonly expected?: AsyncIterable<ExpectedItem>;
  /** True to refuse a file in the place of a folder or a device, and a folder in that of anything else */
  readonly keepsKinds?: boolean;
}

/** A path as it was seen in the guest; one of type `none` was not there. */
export interface ExpectedItem extends Omit<TreeItem, 'type'> {
  readonly type: 'file' | 'symlink' | 'none';
}

/** What a guest's refusal says of itself when an expected item does not stand any more */
export const changedMeanwhile = 'changed_meanwhile';

/** A file of the host, as compared with what stands in the guest. */
export interface TreeItem {
  readonly path: Buffer;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly size: number;
  /** Lower-case hexadecimal sha256 of a file's data or a link's target; empty for a folder */
  readonly sha256: string;
}

/** An array, or what makes them one after the other. */
export type TreeItems = Iterable<TreeItem> & { readonly length: number };

export interface TreeComparison {
  /** Indexes into the items that are missing or different in the guest */
  readonly different: readonly number[];
  /** Paths below the destination that are in the guest and not among the items */
  readonly extra: readonly Buffer[];
}

/** What the host can ask of a guest's files. Failures are the guest's refusals (`file_missing`, …) or `guest_unreachable`. */
export interface GuestFiles {
  list(
    request: { path: string; depth: number; glob?: string; limit: number; cursor?: string },
    call?: CallOptions,
  ): Promise<FileListing>;
  read(
    request: { path: string; length: number; offset?: number; startLine?: number; endLine?: number },
    call?: CallOptions,
  ): Promise<FileSlice>;
  /** Appears whole; keeps the mode of a file that exists unless one is given; makes missing parents. */
  write(
    request: { path: string; mode?: number; isAppend?: boolean },
    content: Buffer,
    call?: CallOptions,
  ): Promise<{ size: number; mode: number; wasCreated: boolean }>;
  /** Makes all edits, each on what the one before has made, or none: then `replacement_mismatch` names those that do not fit. */
  replace(
    request: { path: string; edits: readonly TextEdit[] },
    call?: CallOptions,
  ): Promise<{ size: number; replacedCount: number }>;
  changes(request: ChangesRequest, call?: CallOptions): AsyncIterable<Change>;
  /** Tar stream (PAX) of a file or a folder of the merged view; names are relative to it, `.` for itself. */
  pack(request: PackRequest, call?: CallOptions): Promise<Readable>;
  /** Puts a tar stream below the destination and deletes paths there: all or nothing as far as a crash allows. */
  unpack(request: UnpackRequest, tar: Readable, call?: CallOptions): Promise<{ written: number; deleted: number }>;
  compare(request: { destination: string; items: TreeItems }, call?: CallOptions): Promise<TreeComparison>;
}
