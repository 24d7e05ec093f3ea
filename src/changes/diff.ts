// What changed in /workspace since the seed, as entries and as a patch that `git apply --binary` always takes.
import { createHash } from 'node:crypto';
import { stat, statfs } from 'node:fs/promises';
import { type GuestFiles, mostLeftOut } from '../agent/file-types.ts';
import { formatBytes, mebibyte } from '../shared/units.ts';
import { tellStep, withMeter } from './change-progress.ts';
import { entriesOf } from './diff-entries.ts';
import { type DiffResult, summarize } from './diff-types.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { attributesPattern, pathKey } from './git-paths.ts';
import { surveyChanges } from './ignored-folders.ts';
import { afterRef, beforeRef, type ImportedTrees, importTrees, isLeaf, type OmittedPath } from './import-trees.ts';
import {
  type ContentLimits,
  countIgnored,
  foldIgnored,
  type IgnoredCount,
  type ListedChange,
  largestWithin,
} from './listed-changes.ts';
import { findRepositories, foldersAbove } from './nested-repositories.ts';
import { quoteHeaders } from './patch-headers.ts';
import { isBelow, pathBelow } from './path-filter.ts';
import type { RawChange } from './raw-diff.ts';

export interface DiffRequest {
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  /** File or folder at or below /workspace; relative paths are below it */
  readonly path?: string;
  /** True when no patch is wanted */
  readonly isStatOnly?: boolean;
  /** True when new files that the project's rules ignore are wanted too */
  readonly hasIgnored?: boolean;
  /** Size up to which a file is looked into, `bytes`; a larger one is named with its size alone */
  readonly maxFileBytes?: number;
  /** Paths up to which a list names the files of ignored folders; it changes nothing of what is given */
  readonly longestPlain?: number;
  /** Limit for the contents of all changed files, `bytes` */
  readonly maxContentBytes?: number;
  /** Keys of paths that are read too where nothing of them has changed */
  readonly alsoKeys?: readonly string[];
}

/**
 * Size of the largest file that a patch can bring, `bytes`: `git apply` reads no patch of a gibibyte or more, and one of bytes
 * that do not compress takes a quarter more room than they do.
 */
export const largestPatched: number = 768 * mebibyte;
/** Where no patch is wanted, lines are counted: of files up to this size, and of so much together, the smallest first, `bytes` */
export const largestCounted: number = mebibyte;
export const mostCounted = 128 * mebibyte;

/** What keeps a file of this size out, as the reader is told. */
function whyLeftOut(
  { maxFileBytes, isStatOnly }: Pick<DiffRequest, 'maxFileBytes' | 'isStatOnly'>,
  size: number,
): string {
  if (maxFileBytes !== undefined && size > maxFileBytes)
    return `larger than the limit of ${formatBytes(maxFileBytes)} for one file`;
  if (isStatOnly !== true) return `larger than the ${formatBytes(largestPatched)} that a patch can carry for one file`;
  if (size > largestCounted) return `lines are counted in files of up to ${formatBytes(largestCounted)}`;
  return `lines are counted in ${formatBytes(mostCounted)} of files, the smallest first`;
}

const treeOptions = ['-r', '-l1000', '--no-ext-diff', '--no-textconv', '--no-color'];
const patchOptions = ['-p', '--binary', '--full-index', '--unified=3', '--src-prefix=a/', '--dst-prefix=b/'];
const excludedNames = ['.git'];

/** Compares in a lab below `workFolder`. Throws `diff_too_large` and what reading the guest throws. */
export async function collectDiff(files: GuestFiles, request: DiffRequest, context: WorkContext): Promise<DiffResult> {
  await using undo = new AsyncDisposableStack();
  const lab = undo.use(await GitLab.create(request.workFolder, context));
  const isStatOnly = request.isStatOnly === true;
  const largest = Math.min(request.maxFileBytes ?? largestPatched, isStatOnly ? largestCounted : largestPatched);
  const limits = { largest, ...(isStatOnly ? { most: mostCounted } : {}) };
  const { imported, ignored, omitted } = await importChanges(lab, files, request, limits, context);
  const settings = await describeContents(lab, imported);
  const options = [...treeOptions, hasSwap(imported) ? '--no-renames' : '--find-renames=50%'];
  const listing = ['-z', '--raw', '--numstat', '--no-abbrev'];
  tellStep(context, 'comparing');
  const raw = await lab.compare(['diff-tree', ...options, ...listing, beforeRef, afterRef], { settings });
  let patch: DiffResult['patch'];
  if (!isStatOnly) {
    const file = lab.file('changes.patch');
    tellStep(context, 'making the patch');
    await lab.run(['diff-tree', ...options, ...patchOptions, beforeRef, afterRef], {
      settings,
      outputFile: 'changes.patch',
    });
    await lab.hold(() => quoteHeaders(file, raw));
    patch = { file, bytes: (await stat(file)).size };
  }
  const { entries, inPatch } = entriesOf(raw, imported);
  const parts = undo.move();
  return {
    changed: entries.length > 0,
    digest: digestOf(raw, imported),
    summary: summarize(entries, inPatch),
    entries,
    patch,
    ignored,
    omitted,
    whyLeftOut: (size) => whyLeftOut(request, size),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function digestOf(raw: readonly RawChange[], { withheld, paths }: ImportedTrees): string {
  const hash = createHash('sha256');
  for (const { key, oldKey, letter, newMode, newBlob } of raw)
    hash.update(`${letter} ${newMode} ${newBlob} ${oldKey}\0${key}\0`);
  for (const key of [...withheld].sort()) hash.update(`${JSON.stringify(paths.get(key)?.after)} ${key}\0`);
  return hash.digest('hex');
}

export interface ImportedChanges {
  readonly imported: ImportedTrees;
  readonly ignored: IgnoredCount;
  /** Paths that Git cannot hold, and repositories of which only the files come */
  readonly omitted: readonly OmittedPath[];
  /** Those of the further keys that are not among what changed */
  readonly unlisted: ReadonlySet<string>;
}

/** The changes that are wanted in the lab's two trees. */
export async function importChanges(
  lab: GitLab,
  files: GuestFiles,
  request: Pick<DiffRequest, 'workFolder' | 'path' | 'hasIgnored' | 'longestPlain' | 'maxContentBytes' | 'alsoKeys'>,
  limits: ContentLimits | undefined,
  context: WorkContext,
): Promise<ImportedChanges> {
  const below = pathBelow(request.path);
  const narrowed = { excludedNames, ...(below.length === 0 ? {} : { below }) };
  const { workFolder, hasIgnored = false, longestPlain } = request;
  const survey = { workFolder, hasIgnored, longestPlain };
  tellStep(context, 'checking what changed');
  const { listed, ignored } = await surveyChanges(lab, files, narrowed, survey, context);
  const isWanted = (path: Buffer): boolean => isBelow(path, below) && !ignored.has(pathKey(path));
  const largest = limits === undefined ? undefined : largestWithin(wanted(listed, below), ignored, limits);
  const known = new Set(listed.map(({ key }) => key));
  const unlisted = (request.alsoKeys ?? [])
    .filter((key) => !known.has(key) && isBelow(Buffer.from(key, 'latin1'), below))
    .slice(0, mostLeftOut);
  const changes = files.changes(
    {
      ...narrowed,
      ...(unlisted.length === 0 ? {} : { paths: unlisted.map((key) => Buffer.from(key, 'latin1')) }),
      scope: 'workspace',
      hasContent: true,
      leftOut: foldIgnored(listed, ignored),
      ...(largest === undefined ? {} : { largestContent: largest }),
    },
    { signal: context.signal },
  );
  const read = wanted(listed, below).filter(
    ({ key, before, after }) =>
      !ignored.has(key) && Math.max(before?.size ?? 0, after?.size ?? 0) <= (largest ?? Infinity),
  );
  const maxContentBytes = request.maxContentBytes ?? (await roomIn(lab.folder));
  const imported = await importTrees(lab, withMeter(changes, read, context), {
    sides: 'both',
    maxContentBytes,
    ...(request.maxContentBytes === undefined ? { tooMuch: (why) => lab.diskFull(undefined, `: ${why}`) } : {}),
    isWanted,
  });
  const leaves = [...imported.paths].filter(([, { before, after }]) => isLeaf(before) || isLeaf(after));
  const repositories = await findRepositories(files, foldersAbove(leaves.map(([key]) => key)), context);
  return {
    imported,
    ignored: countIgnored(wanted(listed, below), ignored),
    omitted: [...repositories, ...imported.omitted],
    unlisted: new Set(unlisted),
  };
}

/** What is at or below the path, even where a list was made without knowing it. */
function wanted(listed: readonly ListedChange[], below: Buffer): readonly ListedChange[] {
  return below.length === 0 ? listed : listed.filter(({ key }) => isBelow(Buffer.from(key, 'latin1'), below));
}

/** Contents that the host's disk takes: they lie there once as they are, and once more in the patch. */
async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.floor((bavail * bsize) / 3);
}

/**
 * Says of files whether they are text where Git would be wrong: it looks for a zero byte in the first 8,000 bytes alone, and
 * prints bytes that are not UTF-8. Only those files are named: Git holds each path against each pattern.
 * Attributes do not reach links, so one whose target is not UTF-8 makes links, and what is new or gone, binary as a whole.
 */
async function describeContents(lab: GitLab, imported: ImportedTrees): Promise<string[]> {
  const binary = [...imported.paths].filter(([key, { isText }]) => !isText && !imported.withheld.has(key));
  const hasBinaryLink = binary.some(([, { before, after }]) => before?.type === 'symlink' || after?.type === 'symlink');
  const named = hasBinaryLink ? binary : binary.filter(([, { isPlainlyBinary }]) => !isPlainlyBinary);
  const lines = named.map(([key]) => `${attributesPattern(Buffer.from(key, 'latin1'))} -diff`);
  await lab.setAttributes(hasBinaryLink ? ['* diff', ...lines] : lines);
  return hasBinaryLink ? ['diff.default.binary=true'] : [];
}

/**
 * True when a file or link and a folder have changed places. `git apply` refuses some renames into or out of such a place,
 * since it does not know from a pure rename that what is renamed is a link.
 */
function hasSwap(imported: ImportedTrees): boolean {
  for (const { before, after } of imported.paths.values()) {
    if (before?.type === 'directory' ? isLeaf(after) : after?.type === 'directory' && isLeaf(before)) return true;
  }
  return false;
}
