// The list of what changed: asked for without contents, bounded, and with what nobody wants to see folded into folders.
import { type ChangeSide, type ChangesRequest, type GuestFiles, mostLeftOut } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { formatBytes, mebibyte } from '../shared/units.ts';
import type { WorkContext } from './git-lab.ts';
import { pathKey } from './git-paths.ts';

export interface ListedChange {
  /** Key of the path */
  readonly key: string;
  /** True for what the seed did not have */
  readonly isNew: boolean;
  /** True for what is there now and is not a folder */
  readonly isLeaf: boolean;
  readonly before: ChangeSide | undefined;
  readonly after: ChangeSide | undefined;
  /** What is below a folder that stands for it */
  readonly folded?: IgnoredCount | undefined;
}

/** What was left out of a list, in numbers. */
export interface IgnoredCount {
  readonly files: number;
  readonly bytes: number;
}

/** Most paths of one comparison, and most bytes that they may have together */
export const mostPaths = 200_000;
export const mostPathBytes: number = 48 * mebibyte;

export type Narrowed = Pick<ChangesRequest, 'below' | 'excludedNames'>;

/** Throws `diff_too_large` for more than is held in memory. */
export async function listChanges(
  files: GuestFiles,
  request: Narrowed & Pick<ChangesRequest, 'folded' | 'leafNames'>,
  context: WorkContext,
): Promise<ListedChange[]> {
  return (await listUpTo(mostPaths, files, request, context)) ?? tooMany();
}

/** Undefined where there are more of them. */
export async function listUpTo(
  most: number,
  files: GuestFiles,
  request: Narrowed & Pick<ChangesRequest, 'folded' | 'leafNames'>,
  { signal }: WorkContext,
): Promise<ListedChange[] | undefined> {
  const listed: ListedChange[] = [];
  let bytes = 0;
  for await (const { path, before, after, folded } of files.changes(
    { ...request, scope: 'workspace', hasContent: false },
    { signal },
  )) {
    bytes += path.length;
    if (bytes > mostPathBytes) throw tooManyPaths();
    if (listed.length >= most) return undefined;
    const isLeaf = after !== undefined && after.type !== 'directory';
    listed.push({ key: pathKey(path), isNew: before === undefined, isLeaf, before, after, folded });
  }
  return listed;
}

export function countIgnored(changes: readonly ListedChange[], ignored: ReadonlySet<string>): IgnoredCount {
  let [files, bytes] = [0, 0];
  for (const { key, isLeaf, after, folded } of changes) {
    if (folded === undefined && (!isLeaf || !ignored.has(key))) continue;
    files += folded?.files ?? 1;
    bytes += folded?.bytes ?? after?.size ?? 0;
  }
  return { files, bytes };
}

export interface ContentLimits {
  /** Size over which a file is withheld, `bytes` */
  readonly largest: number;
  /** Size of all contents together over which the largest ones are withheld, `bytes` */
  readonly most?: number;
}

/** Size over which contents are withheld so that all of them keep to the limits; at least 1. */
export function largestWithin(
  changes: readonly ListedChange[],
  ignored: ReadonlySet<string>,
  { largest, most = Number.POSITIVE_INFINITY }: ContentLimits,
): number {
  const sizes = changes
    .filter(({ key }) => !ignored.has(key))
    .flatMap(({ before, after }) => [before, after])
    .flatMap((side) => (side?.type === 'file' && side.size <= largest ? [side.size] : []));
  sizes.sort((a, b) => a - b);
  let sum = 0;
  for (const size of sizes) {
    sum += size;
    // Those of the same size go together.
    if (sum > most) return Math.max(size - 1, 1);
  }
  return largest;
}

/** The ignored paths as the guest is told them: a new folder in which all is ignored stands for what is below it. */
export function foldIgnored(changes: readonly ListedChange[], ignored: ReadonlySet<string>): Buffer[] {
  const folders = new Map<string, { leaves: number; ignored: number }>();
  for (const { key, isNew, after } of changes)
    if (isNew && after?.type === 'directory') folders.set(key, { leaves: 0, ignored: 0 });
  for (const { key, isLeaf } of changes) {
    const around = folders.get(parentOf(key));
    if (!isLeaf || around === undefined) continue;
    around.leaves++;
    if (ignored.has(key)) around.ignored++;
  }
  // Names below a folder sort behind it, so that this goes from the leaves up.
  for (const key of [...folders.keys()].sort().reverse()) {
    const own = folders.get(key);
    const around = folders.get(parentOf(key));
    if (own === undefined || around === undefined) continue;
    around.leaves += own.leaves;
    around.ignored += own.ignored;
  }
  const isWhole = (key: string): boolean => {
    const counts = folders.get(key);
    return counts !== undefined && counts.leaves > 0 && counts.leaves === counts.ignored;
  };
  const folded: string[] = changes.flatMap((change) => (change.folded === undefined ? [] : [change.key]));
  for (const key of folders.keys()) if (isWhole(key) && !isWhole(parentOf(key))) folded.push(key);
  for (const key of ignored) if (!isWhole(parentOf(key))) folded.push(key);
  // The rest is left out here.
  return folded.slice(0, mostLeftOut).map((key) => Buffer.from(key, 'latin1'));
}

function parentOf(key: string): string {
  return key.slice(0, Math.max(key.lastIndexOf('/'), 0));
}

function tooMany(): never {
  throw tooManyPaths();
}

export function tooManyPaths(): PyroError {
  return new PyroError(
    'diff_too_large',
    `more than ${mostPaths} paths, or ${formatBytes(mostPathBytes)} of paths, changed`,
    {
      hint: 'give a path to compare less, or export the files instead of a diff',
    },
  );
}
