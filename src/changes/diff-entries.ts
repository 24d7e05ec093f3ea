// The entries of a diff: what Git found, and what no patch can hold.
import type { ChangeSide } from '../agent/file-types.ts';
import type { DiffEntry, DiffStatus } from './diff-types.ts';
import { shownPath } from './git-paths.ts';
import { gitMode, type ImportedPath, type ImportedTrees, isLeaf } from './import-trees.ts';
import type { RawChange } from './raw-diff.ts';

/** All entries by their paths, and those of them that stand in the patch. */
export function entriesOf(
  raw: readonly RawChange[],
  imported: ImportedTrees,
): { entries: DiffEntry[]; inPatch: ReadonlySet<DiffEntry> } {
  const special = new Map<string, DiffEntry>();
  for (const [key, path] of imported.paths) {
    if (isSpecial(path.before) || isSpecial(path.after))
      special.set(key, entryBeside(key, path, statusOfSpecial(path)));
    else if (imported.withheld.has(key)) special.set(key, withheldEntry(key, path));
  }
  const known = new Set<string>();
  const printed: DiffEntry[] = [];
  for (const change of raw) {
    known.add(change.key);
    if (change.letter !== 'R' && special.has(change.key)) continue;
    printed.push(entryOf(change, imported));
  }
  const modesOnly: DiffEntry[] = [];
  for (const [key, path] of imported.paths) {
    if (!known.has(key) && !special.has(key) && hasOtherPermissions(path))
      modesOnly.push(entryBeside(key, path, 'mode_changed'));
  }
  const entries = [...printed, ...special.values(), ...modesOnly].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { entries, inPatch: new Set(printed) };
}

function entryOf(change: RawChange, imported: ImportedTrees): DiffEntry {
  const before = imported.paths.get(change.oldKey)?.before;
  const after = imported.paths.get(change.key)?.after;
  const status = statusOf(change);
  return {
    path: shownPath(change.key),
    status,
    artifact_type: (status === 'deleted' ? change.oldMode : change.newMode) === '120000' ? 'symlink' : 'file',
    old_path: status === 'renamed' ? shownPath(change.oldKey) : null,
    old_mode: status === 'added' ? null : fullMode(before),
    new_mode: status === 'deleted' ? null : fullMode(after),
    additions: change.lines?.added ?? null,
    deletions: change.lines?.deleted ?? null,
    is_binary: change.lines === undefined,
    left_out_bytes: null,
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
function entryBeside(key: string, path: ImportedPath, status: DiffStatus): DiffEntry {
  const shown = path.after ?? path.before;
  return {
    path: shownPath(key),
    status,
    artifact_type: shown?.type === 'file' || shown?.type === 'symlink' ? shown.type : 'other',
    old_path: null,
    old_mode: fullMode(path.before),
    new_mode: fullMode(path.after),
    additions: null,
    deletions: null,
    is_binary: false,
    left_out_bytes: null,
  };
}

/** Entry of a file that is too large to have been looked into. */
function withheldEntry(key: string, path: ImportedPath): DiffEntry {
  const { before, after } = path;
  const isOnlyMode = before?.type === after?.type && before?.size === after?.size && before?.mode !== after?.mode;
  const status = isOnlyMode ? 'mode_changed' : isLeaf(before) && isLeaf(after) ? 'modified' : statusOfSpecial(path);
  return { ...entryBeside(key, path, status), left_out_bytes: (after ?? before)?.size ?? 0 };
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
