// A project of the host on its way into a guest: what was asked for, what goes in, what was made of it.

export interface SeedRequest {
  /** Absolute path of a folder, a checkout or a tar archive */
  readonly path: string;
  /** Ignored paths that go in all the same, relative to the project */
  readonly includes: readonly string[];
}

export type SeedMode = 'git' | 'directory' | 'tar_archive';

export interface SeedSummary {
  readonly mode: SeedMode;
  readonly seed_path: string;
  readonly commit: string | null;
  readonly branch: string | null;
  readonly dirty: boolean | null;
  readonly entry_count: number;
  /** Length of all files, `bytes` */
  readonly bytes_written: number;
  /** Counts of what stayed out, by reason */
  readonly left_out: Readonly<Record<string, number>>;
}

export interface ProjectImage {
  /** Names the content: equal keys, equal images */
  readonly key: string;
  /** Squashfs file */
  readonly path: string;
  readonly summary: SeedSummary;
}

export type ItemType = 'file' | 'directory' | 'symlink';

/** Something that goes in. Paths are bytes, since names need not be text. */
export interface SeedItem {
  /** Relative to the project */
  readonly path: Buffer;
  readonly type: ItemType;
  /** Permission bits */
  readonly mode: number;
  /** Length of a file's data or a link's target, `bytes` */
  readonly size: number;
  /** What tells this state of the file from a later one */
  readonly stamp: string;
}

/** A Git repository of the project: itself, a submodule, or one that lies in it. */
export interface RepositoryPlace {
  /** Relative to the project; empty for the project itself */
  readonly path: Buffer;
  /** Absolute folder of the work tree */
  readonly root: string;
}

export interface Listing {
  readonly mode: Exclude<SeedMode, 'tar_archive'>;
  /** Absolute folder that the items' paths are relative to */
  readonly root: string;
  readonly items: readonly SeedItem[];
  readonly repositories: readonly RepositoryPlace[];
  readonly leftOut: Readonly<Record<string, number>>;
}
