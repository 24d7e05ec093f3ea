// A patch into the guest's /workspace, all or nothing: applied to copies in the lab first, then sent as one change.
import { Readable } from 'node:stream';
import { type ChangeSide, changedMeanwhile, type GuestFiles } from '../agent/file-types.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { applyEnvelope, type Envelope, readEnvelope } from './envelope-apply.ts';
import { isEnvelope } from './envelope-parse.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { pathKey, shownPath, workspaceFolder } from './git-paths.ts';
import { beforeRef, defaultMaxContentBytes, type ImportedTrees, importTrees } from './import-trees.ts';
import { patchFailure } from './patch-failure.ts';
import { joined, type PatchPiece, readPieces } from './patch-pieces.ts';
import { checkPlaces } from './patch-places.ts';
import { standingOf } from './patch-standing.ts';
import { tarOfChanges } from './patch-tar.ts';
import type { RawChange } from './raw-diff.ts';
import { changesAt } from './single-paths.ts';

export interface PatchRequest {
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  /** Text, or bytes that need not be any */
  readonly patch: string | Buffer;
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

/** So often a patch is made ready again when what it was made from has changed in the guest before it was written */
const tries = 3;

/**
 * Throws `patch_invalid` for what is not a patch or leads out of /workspace, `patch_failed` for what does not fit, and for
 * files that do not hold still: nothing that the guest has written since they were read is written over.
 */
export async function applyPatch(files: GuestFiles, request: PatchRequest, context: WorkContext): Promise<PatchResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOnce(files, request, context);
    } catch (error) {
      if (!isPyroError(error, 'guest_refused') || error.details['guest_code'] !== changedMeanwhile) throw error;
      if (attempt < tries) continue;
      throw new PyroError('patch_failed', `the files keep changing: ${error.message}`, {
        hint: 'nothing was changed; wait until nothing in the workspace writes to them, and apply the patch again',
        cause: error,
      });
    }
  }
}

async function applyOnce(files: GuestFiles, request: PatchRequest, context: WorkContext): Promise<PatchResult> {
  await using lab = await GitLab.create(request.workFolder, context);
  const { envelope, pieces, touched, origins } = await readPatch(lab, request.patch);
  const standing = await fetchStanding(files, lab, touched, request, context);
  const before = (key: string): ChangeSide | undefined => standing.paths.get(key)?.before;
  if (envelope !== undefined) await applyEnvelope(lab, envelope, before);
  for (const piece of pieces) await applyPiece(lab, piece);
  const options = ['--cached', '-z', '--raw', '--no-abbrev', '--no-renames'];
  const changes = await lab.compareInto('patched', ['diff-index', ...options, beforeRef]);
  const extraDeleted = await checkPlaces(files, changes, touched, before, context);
  const deletedPaths: Buffer[] = [];
  let count = 0;
  for await (const { letter, path } of changes()) {
    count++;
    if (letter === 'D') deletedPaths.push(path);
  }
  if (count > 0) {
    const tar = tarOfChanges(lab, changes, (key) => before(key) ?? before(origins.get(key) ?? key));
    const expected = standingOf(lab, changes, before);
    await files.unpack(
      { destination: workspaceFolder, deletedPaths: [...deletedPaths, ...extraDeleted], expected },
      Readable.from(tar),
      { signal: context.signal },
    );
  }
  return await resultOf(changes());
}

interface ReadPatch extends Pick<PatchPiece, 'touched' | 'origins'> {
  readonly envelope: Envelope | undefined;
  readonly pieces: readonly PatchPiece[];
}

/** The patch as it continues: nothing of what is given here holds its text, but for the other grammar. */
async function readPatch(lab: GitLab, patch: string | Buffer): Promise<ReadPatch> {
  const text = Buffer.from(patch).toString('latin1');
  if (isEnvelope(text)) {
    const envelope = readEnvelope(text);
    return { envelope, pieces: [], touched: envelope.touched, origins: envelope.origins };
  }
  const pieces = await readPieces(lab, text);
  return { envelope: undefined, pieces, ...joined(pieces) };
}

/** Everything the patch touches, and what is on the way there, so that Git sees links as links. */
async function fetchStanding(
  files: GuestFiles,
  lab: GitLab,
  touched: ReadonlySet<string>,
  request: PatchRequest,
  context: WorkContext,
): Promise<ImportedTrees> {
  const folders = new Set<string>();
  for (const key of touched)
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1))
      folders.add(key.slice(0, slash));
  const wanted = function* (): Generator<string> {
    yield* touched;
    for (const key of folders) if (!touched.has(key)) yield key;
  };
  const standing = await importTrees(lab, changesAt(files, wanted(), { hasContent: true }, context), {
    sides: 'current',
    maxContentBytes: request.maxContentBytes ?? defaultMaxContentBytes,
    isWanted: (path) => touched.has(pathKey(path)) || folders.has(pathKey(path)),
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

async function resultOf(changes: AsyncIterable<RawChange>): Promise<PatchResult> {
  const entries: PatchEntry[] = [];
  const counts = { added: 0, modified: 0, deleted: 0 };
  for await (const { letter, key } of changes) {
    const status = statuses[letter] ?? 'modified';
    counts[status]++;
    entries.push({ path: `${workspaceFolder}/${shownPath(key)}`, status });
  }
  return { changed: entries.length > 0, summary: { total: entries.length, ...counts }, entries };
}
