// What a project is on its way into guests: the request, its items, the summary, the finished image.
import { z } from 'zod';
import { gibibyte } from '../shared/units.ts';

/** Size of the project disk in every guest, fixed by the templates, `bytes` */
export const projectDiskBytes = 16 * gibibyte;

/** Where the project is in every guest */
export const projectGuestFolder = '/workspace';

export interface SeedRequest {
  /** Absolute host path of a checkout, a folder or a tar archive */
  readonly path: string;
  /** Ignored paths, relative to `path`, that go in all the same */
  readonly includes: readonly string[];
}

export type ItemType = 'file' | 'directory' | 'symlink';

/** One path that goes in. Paths are bytes: names need not be UTF-8. */
export interface SeedItem {
  /** Path below the seed's root, without `.` or `..` */
  readonly path: Buffer;
  readonly type: ItemType;
  /** Permission bits, 0 to 0o7777 */
  readonly mode: number;
  /** Length of a file or of a link's target, `bytes`; 0 for a folder */
  readonly size: number;
  readonly absolute: Buffer;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
}

/** Changes whenever content or mode do. Milliseconds keep fractions down to less than a microsecond. */
export function stampOf({ inode, size, mtimeMs, ctimeMs }: SeedItem): string {
  return `${inode}:${size}:${mtimeMs}:${ctimeMs}`;
}

/** Time of the last write in the seconds that tar, squashfs and Git's index keep. */
export function mtimeSecondsOf({ mtimeMs }: SeedItem): number {
  return Math.floor(mtimeMs / 1000);
}

export const leftOutSchema = z.object({
  /** Paths that Git ignores; an ignored folder counts once */
  ignored: z.number().int(),
  /** Sockets, pipes and devices */
  special: z.number().int(),
  /** `.git` entries that Git does not take for a repository's */
  git_folders: z.number().int(),
  /** Repositories in the middle of a merge, rebase, cherry-pick, revert or bisect: that state stays behind */
  in_progress: z.number().int(),
  /** Upstream branches that lie too far from HEAD */
  upstreams: z.number().int(),
  /** Commits of the last 50 that a partial clone has not fetched whole, with those behind them */
  commits: z.number().int().default(0),
});
export type LeftOut = z.infer<typeof leftOutSchema>;
export type LeftOutCounts = { -readonly [key in keyof LeftOut]: LeftOut[key] };

export const nothingLeftOut: LeftOut = {
  ignored: 0,
  special: 0,
  git_folders: 0,
  in_progress: 0,
  upstreams: 0,
  commits: 0,
};

export const seedSummarySchema = z.object({
  mode: z.enum(['git', 'directory', 'tar_archive']),
  seed_path: z.string(),
  commit: z.string().nullable(),
  branch: z.string().nullable(),
  dirty: z.boolean().nullable(),
  entry_count: z.number().int(),
  bytes_written: z.number().int(),
  left_out: leftOutSchema,
});
export type SeedSummary = z.infer<typeof seedSummarySchema>;

export interface ProjectImage {
  /** Hash of everything that decides the bytes a guest sees */
  readonly key: string;
  /** Squashfs image, padded to {@link projectDiskBytes} */
  readonly path: string;
  readonly summary: SeedSummary;
}
