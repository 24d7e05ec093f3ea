// A patch into the guest's /workspace, all or nothing: applied to copies in the lab first, then sent as one change.
import { Readable } from 'node:stream';
import { type ChangeSide, changedMeanwhile, type GuestFiles } from '../agent/file-types.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { applyEnvelope, readEnvelope } from './envelope-apply.ts';
import { isEnvelope } from './envelope-parse.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { pathKey, workspaceFolder } from './git-paths.ts';
import { beforeRef, defaultMaxContentBytes, type ImportedTrees, importTrees } from './import-trees.ts';
import { patchFailure } from './patch-failure.ts';
import { originsOf, type PatchPiece, readPieces, touchedKeys } from './patch-pieces.ts';
import { checkPlaces } from './patch-places.ts';
import { standingOf } from './patch-standing.ts';
import { tarOfChanges } from './patch-tar.ts';
import type { RawChange } from './raw-diff.ts';
import { changesAt } from './single-paths.ts';

export interface PatchRequest {
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  readonly patch: Buffer;
  /** Limit for the contents of all touched files, `bytes` */
  readonly maxContentBytes?: number;
}

export interface PatchEntry {
  /** Absolute path in the guest */
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted';
}

export interface PatchResult {
  readonly changed: boolean;
  readonly summary: {
    readonly total: number;
    readonly added: number;
    readonly modified: number;
    readonly deleted: number;
  };
  readonly entries: readonly PatchEntry[];
}

/** So often a patch is made ready anew when what it was made from has changed in the guest before it was written */
const tries = 3;

/**
 * Throws `patch_invalid` for what is no patch or leads out of /workspace, `patch_failed` for what does not fit, and for
 * files that do not hold still: nothing that the guest has written since they were read is written over.
 */
export async function applyPatch(files: GuestFiles, request: PatchRequest, context: WorkContext): Promise<PatchResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOnce(files, request, context);
    } catch (error) {
      if (!isPyroError(error, 'guest_refused') || error.details['guest_code'] !== changedMeanwhile) throw error;
      if (attempt < tries) continue;
      throw new PyroError('patch_failed', `the files do not hold still: ${error.message}`, {
        hint: 'nothing was changed; wait until what writes to them in the workspace has ended, and give the patch again',
        cause: error,
      });
    }
  }
}

async function applyOnce(files: GuestFiles, request: PatchRequest, context: WorkContext): Promise<PatchResult> {
  await using lab = await GitLab.create(request.workFolder, context);
  const text = request.patch.toString('latin1');
  const envelope = isEnvelope(text) ? readEnvelope(text) : undefined;
  const pieces = envelope === undefined ? await readPieces(lab, request.patch) : [];
  const touched = envelope?.touched ?? touchedKeys(pieces);
  const standing = await fetchStanding(files, lab, [...touched.values()], request, context);
  const before = (path: Buffer): ChangeSide | undefined => standing.paths.get(pathKey(path))?.before;
  if (envelope !== undefined) await applyEnvelope(lab, envelope, before);
  for (const piece of pieces) await applyPiece(lab, piece);
  const options = ['--cached', '-z', '--raw', '--no-abbrev', '--no-renames'];
  const changes = await lab.compare(['diff-index', ...options, beforeRef]);
  const extraDeleted = await checkPlaces(files, changes, touched, before, context);
  if (changes.length > 0) {
    const origins = envelope?.origins ?? originsOf(pieces);
    const tar = tarOfChanges(lab, changes, (path) => before(path) ?? before(origins.get(pathKey(path)) ?? path));
    const deletedPaths = changes.filter((change) => change.letter === 'D').map((change) => change.path);
    const expected = await standingOf(lab, changes, before);
    await files.unpack(
      { destination: workspaceFolder, deletedPaths: [...deletedPaths, ...extraDeleted], expected },
      Readable.from(tar),
      { signal: context.signal },
    );
  }
  return resultOf(changes);
}

/** Everything the patch touches, and what lies on the way there, so that Git sees links as links. */
async function fetchStanding(
  files: GuestFiles,
  lab: GitLab,
  touched: readonly Buffer[],
  request: PatchRequest,
  context: WorkContext,
): Promise<ImportedTrees> {
  const paths = new Map<string, Buffer>();
  for (const path of touched) {
    paths.set(pathKey(path), path);
    for (let slash = path.indexOf(0x2f); slash >= 0; slash = path.indexOf(0x2f, slash + 1)) {
      const folder = path.subarray(0, slash);
      paths.set(pathKey(folder), folder);
    }
  }
  const standing = await importTrees(lab, changesAt(files, [...paths.keys()], { hasContent: true }, context), {
    sides: 'current',
    maxContentBytes: request.maxContentBytes ?? defaultMaxContentBytes,
    isWanted: (path) => paths.has(pathKey(path)),
  });
  for (const [key, { before }] of standing.paths) {
    const path = Buffer.from(key, 'latin1');
    if (before?.type === 'other')
      throw new PyroError(
        'patch_failed',
        `${workspaceFolder}/${path.toString('utf8')} is a device, a socket or a pipe`,
        {
          hint: 'remove it first; nothing was changed',
          details: { path: path.toString('utf8'), hunk: null, line: null },
        },
      );
  }
  await lab.run(['read-tree', beforeRef]);
  return standing;
}

async function applyPiece(lab: GitLab, piece: PatchPiece): Promise<void> {
  let refusal: string | undefined;
  for (const attempt of piece.attempts) {
    const result = await lab.tryRun(['apply', '--cached', ...attempt]);
    if (result.exitCode === 0) return;
    refusal ??= result.stderr;
  }
  throw await patchFailure(lab, piece, refusal ?? '');
}

const statuses: Readonly<Record<string, PatchEntry['status']>> = { A: 'added', D: 'deleted' };

function resultOf(changes: readonly RawChange[]): PatchResult {
  const entries = changes.map(({ letter, path }) => ({
    path: `${workspaceFolder}/${path.toString('utf8')}`,
    status: statuses[letter] ?? 'modified',
  }));
  const count = (status: PatchEntry['status']): number => entries.filter((entry) => entry.status === status).length;
  return {
    changed: entries.length > 0,
    summary: {
      total: entries.length,
      added: count('added'),
      modified: count('modified'),
      deleted: count('deleted'),
    },
    entries,
  };
}
