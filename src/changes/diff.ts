// What changed in a workspace since its baseline, as a list and as a patch that `git apply --binary` takes.
import { stat } from 'node:fs/promises';
import type { Change, GuestFiles } from '../agent/file-types.ts';
import type { CallContext } from '../shared/call-context.ts';
import { PyroError } from '../shared/errors.ts';
import { GitLab } from './git-lab.ts';
import { afterRef, beforeRef, type ImportedTrees, importChanges } from './import.ts';
import { parseRawDiff, type RawEntry } from './raw-diff.ts';

export type ChangeStatus = 'added' | 'modified' | 'deleted' | 'renamed' | 'type_changed' | 'mode_changed';

export interface DiffEntry {
  readonly path: string;
  readonly status: ChangeStatus;
  readonly artifact_type: 'file' | 'symlink' | 'other';
  readonly old_path: string | null;
  readonly old_mode: string | null;
  readonly new_mode: string | null;
  readonly additions: number | null;
  readonly deletions: number | null;
  readonly is_binary: boolean;
}

export interface CollectedDiff extends AsyncDisposable {
  readonly entries: readonly DiffEntry[];
  readonly summary: Readonly<Record<string, number>>;
  /** File with the patch, valid UTF-8; gone when this is disposed */
  readonly patchFile: string;
  readonly patchBytes: number;
}

export interface DiffOptions {
  /** Private folder for the laboratory */
  readonly workFolder: string;
  /** File or folder, relative to /workspace; all when absent */
  readonly path?: Buffer | undefined;
  /** True leaves the patch empty */
  readonly isStatOnly: boolean;
}

const excludedNames = ['.git'];
const tries = 3;

/** Changes of the running workspace against its baseline. */
export async function collectDiff(
  files: GuestFiles,
  options: DiffOptions,
  context: CallContext,
): Promise<CollectedDiff> {
  const read = (): AsyncIterable<Change> =>
    files.changes({ scope: 'workspace', hasContent: true, excludedNames }, { signal: context.signal });
  return await diffChanges(read, options, context);
}

/** The same for changes from any source, which is asked again when a file changed while it was read. */
export async function diffChanges(
  read: () => AsyncIterable<Change>,
  options: DiffOptions,
  context: CallContext,
): Promise<CollectedDiff> {
  await using undo = new AsyncDisposableStack();
  const lab = undo.use(await GitLab.create(options.workFolder, context.signal));
  let trees: ImportedTrees;
  let attempt = 0;
  do trees = await importChanges(lab, below(read(), options.path));
  while (
    // A log that grows all the time is taken as it was; its beginning is whole.
    trees.isTorn &&
    ++attempt < tries
  );
  const range = [beforeRef, afterRef];
  const raw = parseRawDiff(await lab.bytes(['diff-tree', '-r', '-M', '--raw', '--numstat', '-z', ...range]));
  const patchFile = lab.path('patch');
  if (!options.isStatOnly) {
    const shape = [
      '--binary',
      '--full-index',
      '--no-ext-diff',
      '--no-textconv',
      '--no-color',
      '--src-prefix=a/',
      '--dst-prefix=b/',
    ];
    const result = await lab.attempt(['diff-tree', '-r', '-p', '-M', ...shape, ...range], { stdoutFile: patchFile });
    if (result.exitCode !== 0) throw new PyroError('tool_failed', `git diff failed: ${result.stderr.trim()}`);
  }
  const entries = [...raw.map(entryOf), ...unheld(trees)].sort((a, b) => (a.path < b.path ? -1 : 1));
  const kept = undo.move();
  return {
    entries,
    summary: count(entries),
    patchFile,
    patchBytes: options.isStatOnly ? 0 : (await stat(patchFile)).size,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function* below(changes: AsyncIterable<Change>, folder: Buffer | undefined): AsyncGenerator<Change> {
  for await (const change of changes) {
    const { path } = change;
    const isBelow =
      folder === undefined ||
      folder.length === 0 ||
      path.equals(folder) ||
      (path.length > folder.length && path[folder.length] === 0x2f && path.subarray(0, folder.length).equals(folder));
    if (isBelow) yield change;
  }
}

function entryOf(entry: RawEntry): DiffEntry {
  const { status, oldMode, newMode, lines } = entry;
  const kinds: Readonly<Record<string, ChangeStatus>> = { A: 'added', D: 'deleted', R: 'renamed', T: 'type_changed' };
  const isModeOnly = status === 'M' && entry.oldBlob === entry.newBlob;
  return {
    path: entry.path.toString('utf8'),
    status: isModeOnly ? 'mode_changed' : (kinds[status] ?? 'modified'),
    artifact_type: (status === 'D' ? oldMode : newMode) === '120000' ? 'symlink' : 'file',
    old_path: entry.oldPath?.toString('utf8') ?? null,
    old_mode: oldMode === '000000' ? null : oldMode,
    new_mode: newMode === '000000' ? null : newMode,
    additions: lines?.added ?? null,
    deletions: lines?.deleted ?? null,
    is_binary: lines === undefined,
  };
}

/** What Git cannot hold is told all the same. */
function unheld({ changes }: ImportedTrees): DiffEntry[] {
  return changes.flatMap(({ path, before, after, refusal }) => {
    if (refusal === undefined) return [];
    const status = before === undefined ? 'added' : after === undefined ? 'deleted' : 'type_changed';
    const common = { old_path: null, old_mode: null, new_mode: null, additions: null, deletions: null };
    return [{ path: path.toString('utf8'), status, artifact_type: 'other', is_binary: true, ...common }];
  });
}

function count(entries: readonly DiffEntry[]): Record<string, number> {
  const of = (status: ChangeStatus): number => entries.filter((entry) => entry.status === status).length;
  const isText = (entry: DiffEntry): boolean => !entry.is_binary && entry.artifact_type !== 'other';
  return {
    total: entries.length,
    added: of('added'),
    modified: of('modified'),
    deleted: of('deleted'),
    renamed: of('renamed'),
    type_changed: of('type_changed'),
    mode_changed: of('mode_changed'),
    text_patched: entries.filter(isText).length,
    non_text: entries.filter((entry) => !isText(entry)).length,
  };
}
