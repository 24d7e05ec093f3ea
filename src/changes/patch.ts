// Applies a patch to a workspace: worked out in the laboratory from just the files it names, then put in at once.
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Change, ChangeSide, GuestFiles } from '../agent/file-types.ts';
import type { CallContext } from '../shared/call-context.ts';
import { PyroError } from '../shared/errors.ts';
import { GitLab } from './git-lab.ts';
import { afterRef, type ImportedChange, importChanges, isHeld } from './import.ts';
import { explainFailure } from './patch-failure.ts';
import { firstLines, type Strip, touchedPaths } from './patch-names.ts';
import { parseRawDiff, type RawEntry } from './raw-diff.ts';
import { encodeTarHeader, tarEnd, tarPadding } from './tar-write.ts';

export interface PatchOutcome {
  readonly changed: boolean;
  readonly summary: { total: number; added: number; modified: number; deleted: number };
  readonly entries: { path: string; status: 'added' | 'modified' | 'deleted' }[];
}

const workspaceFolder = '/workspace';

/** All of the patch or nothing. Throws `patch_invalid` or, when it does not fit, `patch_failed`. */
export async function applyPatch(
  files: GuestFiles,
  workFolder: string,
  patch: Buffer,
  context: CallContext,
): Promise<PatchOutcome> {
  await using lab = await GitLab.create(workFolder, context.signal);
  const patchFile = lab.path('patch');
  // A patch whose last line was cut of its end is the most usual fault, and no other.
  await writeFile(patchFile, patch.at(-1) === 0x0a ? patch : Buffer.concat([patch, Buffer.from('\n')]));
  const touched = await touchedPaths(lab, patchFile, patch);
  const paths = withFolders([...touched.values()].flat());
  const request = { scope: 'workspace', hasContent: true, paths, isExact: true } as const;
  const { changes } = await importChanges(lab, present(files.changes(request, { signal: context.signal })));
  const standing = new Map(changes.map((change) => [change.path.toString('latin1'), change]));
  const current = await lab.line(['rev-parse', `${afterRef}^{tree}`]);
  const next = await applyIn(lab, patchFile, current, touched, standing);
  const raw = parseRawDiff(await lab.bytes(['diff-tree', '-r', '--no-renames', '--raw', '-z', current, next]));
  if (raw.length > 0) await send(lab, files, raw, standing, context);
  const entries = raw.map(({ path, status }) => ({
    path: `${workspaceFolder}/${path.toString('utf8')}`,
    status: status === 'A' ? ('added' as const) : status === 'D' ? ('deleted' as const) : ('modified' as const),
  }));
  const of = (status: string): number => entries.filter((entry) => entry.status === status).length;
  const summary = { total: entries.length, added: of('added'), modified: of('modified'), deleted: of('deleted') };
  return { changed: entries.length > 0, summary, entries };
}

/** The present state as the one tree that counts; unchanged and missing paths come as they are. */
async function* present(changes: AsyncIterable<Change>): AsyncGenerator<Change> {
  for await (const change of changes) {
    yield { ...change, before: undefined, after: change.after };
  }
}

/** The tree after the patch. Each way of reading the names is tried, the usual one first. */
async function applyIn(
  lab: GitLab,
  patchFile: string,
  current: string,
  touched: ReadonlyMap<Strip, readonly Buffer[]>,
  standing: ReadonlyMap<string, ImportedChange>,
): Promise<string> {
  let failure: PyroError | undefined;
  for (const [strip, paths] of touched) {
    const obstacle = findObstacle(paths, standing);
    if (obstacle !== undefined) {
      failure ??= obstacle;
      continue;
    }
    await lab.bytes(['read-tree', current]);
    const result = await lab.attempt(['apply', '--cached', '--whitespace=nowarn', `-p${strip}`, patchFile]);
    if (result.exitCode === 0) return await lab.line(['write-tree']);
    failure ??= await explainFailure(lab, patchFile, result.stderr, strip);
  }
  throw failure ?? new PyroError('patch_invalid', `Git does not read this as a patch: ${firstLines('')}`);
}

/** A file must not take the place of a folder, nor lie below a file or a link. */
function findObstacle(paths: readonly Buffer[], standing: ReadonlyMap<string, ImportedChange>): PyroError | undefined {
  const touched = new Set(paths.map((path) => path.toString('latin1')));
  for (const path of paths) {
    const own = standing.get(path.toString('latin1'))?.after;
    // Git deletes the files in a folder before it puts a file in the folder's place.
    const isEmptied = [...touched].some((other) => other.startsWith(`${path.toString('latin1')}/`));
    if (own !== undefined && !isHeld(own) && !isEmptied) return obstacleAt(path, own);
    for (let at = path.indexOf(0x2f); at > 0; at = path.indexOf(0x2f, at + 1)) {
      const parent = path.subarray(0, at);
      const side = standing.get(parent.toString('latin1'))?.after;
      const goes = touched.has(parent.toString('latin1'));
      if (side !== undefined && side.type !== 'directory' && !goes) return obstacleAt(parent, side);
    }
  }
  return undefined;
}

function obstacleAt(path: Buffer, { type }: ChangeSide): PyroError {
  const name = path.toString('utf8');
  return new PyroError('patch_failed', `${name} is a ${type} in the workspace, where the patch needs something else`, {
    hint: 'nothing was changed; look at the path with workspace_file_list',
    details: { path: name },
  });
}

/** The paths and every folder above them. */
function withFolders(paths: readonly Buffer[]): Buffer[] {
  const all = new Map<string, Buffer>();
  for (const path of paths) {
    for (let at = path.indexOf(0x2f); at > 0; at = path.indexOf(0x2f, at + 1)) {
      const parent = path.subarray(0, at);
      all.set(parent.toString('latin1'), parent);
    }
    all.set(path.toString('latin1'), path);
  }
  return [...all.values()];
}

async function send(
  lab: GitLab,
  files: GuestFiles,
  raw: readonly RawEntry[],
  standing: ReadonlyMap<string, ImportedChange>,
  context: CallContext,
): Promise<void> {
  const deletedPaths = raw.filter(({ status }) => status === 'D').map(({ path }) => path);
  const written = raw.filter(({ status }) => status !== 'D');
  const contents = await readBlobs(
    lab,
    written.map(({ newBlob }) => newBlob),
  );
  const mtimeSeconds = Math.floor(Date.now() / 1000);
  const parts = written.flatMap(({ path, newMode, newBlob }) => {
    const content = contents.get(newBlob) ?? Buffer.alloc(0);
    const common = { path, mtimeSeconds };
    if (newMode === '120000')
      return [encodeTarHeader({ ...common, type: 'symlink', mode: 0o777, size: 0, linkTarget: content })];
    const mode = fileMode(newMode, standing.get(path.toString('latin1'))?.after);
    const header = encodeTarHeader({ ...common, type: 'file', mode, size: content.length });
    return [header, content, tarPadding(content.length)];
  });
  const tar = Readable.from([...parts, tarEnd], { objectMode: false });
  await files.unpack({ destination: workspaceFolder, deletedPaths }, tar, { signal: context.signal });
}

/** Git knows one bit of a mode; the others stay what they are. */
function fileMode(gitMode: string, standing: ChangeSide | undefined): number {
  const isExecutable = gitMode === '100755';
  if (standing?.type !== 'file') return isExecutable ? 0o755 : 0o644;
  if (((standing.mode & 0o100) !== 0) === isExecutable) return standing.mode;
  return isExecutable ? standing.mode | ((standing.mode & 0o444) >> 2) : standing.mode & ~0o111;
}

async function readBlobs(lab: GitLab, names: readonly string[]): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  if (names.length === 0) return contents;
  const output = await lab.bytes(
    ['cat-file', '--batch', '--buffer'],
    Buffer.from(`${[...new Set(names)].join('\n')}\n`),
  );
  for (let at = 0; at < output.length; ) {
    const lineEnd = output.indexOf(0x0a, at);
    const [name = '', , size = ''] = output.toString('latin1', at, lineEnd).split(' ');
    const start = lineEnd + 1;
    contents.set(name, output.subarray(start, start + Number(size)));
    at = start + Number(size) + 1;
  }
  return contents;
}
