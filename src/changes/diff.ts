// What changed in /workspace since the seed, as entries and as a patch that `git apply --binary` always takes.
import { stat } from 'node:fs/promises';
import type { ChangeSide, GuestFiles } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { type DiffEntry, type DiffResult, type DiffStatus, summarize } from './diff-types.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { attributesPattern, pathKey, workspaceFolder } from './git-paths.ts';
import {
  afterRef,
  beforeRef,
  defaultMaxContentBytes,
  gitMode,
  type ImportedPath,
  type ImportedTrees,
  importTrees,
  isLeaf,
} from './import-trees.ts';
import { quoteHeaders } from './patch-headers.ts';
import { parseRawDiff, type RawChange } from './raw-diff.ts';

export interface DiffRequest {
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  /** File or folder at or below /workspace; relative paths are below it */
  readonly path?: string;
  /** True when no patch is wanted */
  readonly isStatOnly?: boolean;
  /** Limit for the contents of all changed files, `bytes` */
  readonly maxContentBytes?: number;
}

const treeOptions = ['-r', '-l1000', '--no-ext-diff', '--no-textconv', '--no-color'];
const patchOptions = ['-p', '--binary', '--full-index', '--unified=3', '--src-prefix=a/', '--dst-prefix=b/'];

/** Compares in a lab below `workFolder`. Throws `diff_too_large` and what reading the guest throws. */
export async function collectDiff(files: GuestFiles, request: DiffRequest, context: WorkContext): Promise<DiffResult> {
  const isWanted = pathFilter(request.path);
  await using undo = new AsyncDisposableStack();
  const lab = undo.use(await GitLab.create(request.workFolder, context));
  const isStatOnly = request.isStatOnly === true;
  const imported = await importTrees(
    lab,
    files.changes({ scope: 'workspace', hasContent: true, excludedNames: ['.git'] }, { signal: context.signal }),
    {
      sides: 'both',
      maxContentBytes: request.maxContentBytes ?? defaultMaxContentBytes,
      isDigestEnough: isStatOnly,
      isWanted,
    },
  );
  const settings = await describeContents(lab, imported);
  const options = [...treeOptions, hasSwap(imported) ? '--no-renames' : '--find-renames=50%'];
  const raw = parseRawDiff(
    await lab.runForBytes(['diff-tree', ...options, '-z', '--raw', '--numstat', '--no-abbrev', beforeRef, afterRef], {
      settings,
    }),
  );
  let patch: DiffResult['patch'];
  if (!isStatOnly) {
    const file = lab.file('changes.patch');
    await lab.run(['diff-tree', ...options, ...patchOptions, beforeRef, afterRef], {
      settings,
      outputFile: 'changes.patch',
    });
    await quoteHeaders(file, raw);
    patch = { file, bytes: (await stat(file)).size };
  }
  const { entries, inPatch } = entriesOf(raw, imported);
  const parts = undo.move();
  return {
    changed: entries.length > 0,
    summary: summarize(entries, inPatch),
    entries,
    patch,
    omitted: imported.omitted,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/**
 * Says of each file whether it is text: Git itself would look at its first 8,000 bytes only, and print bytes that are no UTF-8.
 * Attributes do not reach links, so one whose target is no UTF-8 makes links, and what is new or gone, binary as a whole.
 */
async function describeContents(lab: GitLab, imported: ImportedTrees): Promise<string[]> {
  const binary = [...imported.paths.values()].filter((path) => !path.isText);
  await lab.setAttributes(['* diff', ...binary.map(({ path }) => `${attributesPattern(path)} -diff`)]);
  const hasBinaryLink = binary.some(({ before, after }) => before?.type === 'symlink' || after?.type === 'symlink');
  return hasBinaryLink ? ['diff.default.binary=true'] : [];
}

/**
 * True when a file or link and a folder have changed places. `git apply` refuses some renames into or out of such a place,
 * since it does not know from a pure rename that what is renamed is a link.
 */
function hasSwap(imported: ImportedTrees): boolean {
  for (const key of imported.paths.keys()) {
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
      const above = imported.paths.get(key.slice(0, slash));
      if (above !== undefined && (isLeaf(above.before) || isLeaf(above.after))) return true;
    }
  }
  return false;
}

function entriesOf(raw: readonly RawChange[], imported: ImportedTrees) {
  const special = new Map<string, DiffEntry>();
  for (const [key, path] of imported.paths) {
    if (isSpecial(path.before) || isSpecial(path.after)) special.set(key, entryBeside(path, statusOfSpecial(path)));
  }
  const known = new Set<string>();
  const printed: DiffEntry[] = [];
  for (const change of raw) {
    known.add(pathKey(change.path));
    if (change.letter !== 'R' && special.has(pathKey(change.path))) continue;
    printed.push(entryOf(change, imported));
  }
  const modesOnly: DiffEntry[] = [];
  for (const [key, path] of imported.paths) {
    if (!known.has(key) && hasOtherPermissions(path)) modesOnly.push(entryBeside(path, 'mode_changed'));
  }
  const entries = [...printed, ...special.values(), ...modesOnly].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { entries, inPatch: new Set(printed) };
}

function entryOf(change: RawChange, imported: ImportedTrees): DiffEntry {
  const before = imported.paths.get(pathKey(change.oldPath))?.before;
  const after = imported.paths.get(pathKey(change.path))?.after;
  const status = statusOf(change);
  return {
    path: change.path.toString('utf8'),
    status,
    artifact_type: (status === 'deleted' ? change.oldMode : change.newMode) === '120000' ? 'symlink' : 'file',
    old_path: status === 'renamed' ? change.oldPath.toString('utf8') : null,
    old_mode: status === 'added' ? null : fullMode(before),
    new_mode: status === 'deleted' ? null : fullMode(after),
    additions: change.lines?.added ?? null,
    deletions: change.lines?.deleted ?? null,
    is_binary: change.lines === undefined,
  };
}

function statusOf(change: RawChange): DiffStatus {
  switch (change.letter) {
    case 'A':
      return 'added';
    case 'D':
      return 'deleted';
    case 'R':
      return 'renamed';
    case 'T':
      return 'type_changed';
    default:
      return change.oldBlob === change.newBlob ? 'mode_changed' : 'modified';
  }
}

/** Entry of a change that no patch can hold. */
function entryBeside(path: ImportedPath, status: DiffStatus): DiffEntry {
  const shown = path.after ?? path.before;
  return {
    path: path.path.toString('utf8'),
    status,
    artifact_type: shown?.type === 'file' || shown?.type === 'symlink' ? shown.type : 'other',
    old_path: null,
    old_mode: fullMode(path.before),
    new_mode: fullMode(path.after),
    additions: null,
    deletions: null,
    is_binary: false,
  };
}

function statusOfSpecial({ before, after }: ImportedPath): DiffStatus {
  if (!isLeaf(before)) return 'added';
  return isLeaf(after) ? 'type_changed' : 'deleted';
}

function isSpecial(side: ChangeSide | undefined): boolean {
  return side?.type === 'other';
}

/** Git keeps one bit of the permissions; the others are worth a word all the same. */
function hasOtherPermissions({ before, after }: ImportedPath): boolean {
  if (before?.type !== 'file' || after?.type !== 'file') return false;
  return before.mode !== after.mode && gitMode(before) === gitMode(after);
}

const typeBits = { file: '10', symlink: '12', directory: '04', other: '00' } as const;

function fullMode(side: ChangeSide | undefined): string | null {
  if (side === undefined) return null;
  return side.type === 'symlink' ? '120000' : `${typeBits[side.type]}${side.mode.toString(8).padStart(4, '0')}`;
}

function pathFilter(path: string | undefined): (path: Buffer) => boolean {
  const parts = (path ?? workspaceFolder).split('/').filter((part) => part !== '' && part !== '.');
  const isAbsolute = path === undefined || path.startsWith('/');
  if (parts.includes('..') || (isAbsolute && `/${parts[0] ?? ''}` !== workspaceFolder))
    throw new PyroError('usage', `${path} is not at or below ${workspaceFolder}`, {
      hint: `give a path such as ${workspaceFolder}/src`,
    });
  const wanted = Buffer.from((isAbsolute ? parts.slice(1) : parts).join('/'));
  const below = Buffer.concat([wanted, Buffer.from('/')]);
  return (candidate) =>
    wanted.length === 0 || candidate.equals(wanted) || candidate.subarray(0, below.length).equals(below);
}
