// A file or folder of the guest onto the host: as files, as an archive, or what changed of it as a patch.
import { constants } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { GuestFiles } from '../agent/file-types.ts';
import { isDiskFull, PyroError } from '../shared/errors.ts';
import { createMeter, noProgress } from '../shared/progress.ts';
import { formatBytes } from '../shared/units.ts';
import { noteDraft } from '../system/drafts.ts';
import { collectDiff } from './diff.ts';
import { checkedEntries, type ExportEntry } from './export-entries.ts';
import { mergeInto } from './export-merge.ts';
import { discard, type ExportPlace, explainLoss, findPlace, roomAt, settle } from './export-place.ts';
import { type Written, writeArchive, writeFiles } from './export-write.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { pathKey, workspaceFolder } from './git-paths.ts';
import { surveyChanges } from './ignored-folders.ts';
import type { OmittedPath } from './import-trees.ts';
import { countIgnored, foldIgnored, type IgnoredCount } from './listed-changes.ts';
import { findRepositories } from './nested-repositories.ts';
import { isBelow, pathBelow } from './path-filter.ts';

export interface ExportRequest {
  /** Absolute path in the guest; for a patch at or below /workspace */
  readonly guestPath: string;
  /** Absolute path on the host; whether it is allowed has been decided */
  readonly outputPath: string;
  readonly isOverwrite: boolean;
  /** True when it goes into folders that stand there and replaces files */
  readonly isMerge?: boolean;
  /** True when folders named .git go out too */
  readonly hasGit: boolean;
  /** True when new files that the project's rules ignore go out too */
  readonly hasIgnored: boolean;
  readonly format: 'files' | 'tar' | 'patch';
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  /** Folder of notes on what is being written, for the start after a kill */
  readonly journal?: string;
}

export interface ExportResult {
  readonly artifact_type: 'file' | 'directory' | 'symlink';
  readonly entry_count: number;
  readonly bytes_written: number;
  readonly output_path: string;
  /** Entries that were left out, with the reason; the first hundred of `skipped_count` */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly skipped_count: number;
  readonly ignored: IgnoredCount;
}

type WrittenOut = Written & { readonly ignored: IgnoredCount };

const mostSkippedShown = 100;

/** Appears whole or not at all. Throws `export_refused`, `output_exists`, `disk_full`, and what reading the guest throws. */
export async function exportTree(
  files: GuestFiles,
  request: ExportRequest,
  context: WorkContext,
): Promise<ExportResult> {
  const { isMerge = false, isOverwrite } = request;
  const place = await findPlace(request.outputPath, isMerge ? 'merge' : isOverwrite ? 'replace' : 'refuse');
  await using _note = await noteDraft(request.journal, { made: [place.temporary], folders: [...place.madeFolders] });
  const skipped: { path: string; reason: string }[] = [];
  let skippedCount = 0;
  const onSkipped = (path: string, reason: string): void => {
    skippedCount++;
    if (skipped.length < mostSkippedShown) skipped.push({ path, reason });
  };
  try {
    const written =
      request.format === 'patch'
        ? await writePatch(files, request, place, onSkipped, context)
        : await writeTree(files, request, place, onSkipped, context);
    context.signal.throwIfAborted();
    if (isMerge) await mergeInto(place, context.signal);
    else await settle(place, isOverwrite, request.journal);
    return {
      artifact_type: written.type,
      entry_count: written.entryCount,
      bytes_written: written.bytes,
      output_path: request.outputPath,
      skipped,
      skipped_count: skippedCount,
      ignored: written.ignored,
    };
  } catch (failure) {
    const error = await explainLoss(place, failure);
    await discard(place);
    if (!isDiskFull(error)) throw error;
    throw new PyroError('disk_full', `no room left while exporting to ${request.outputPath}`, {
      hint: 'nothing was written; free some space or export a smaller path',
      cause: error,
    });
  }
}

async function writeTree(
  files: GuestFiles,
  request: ExportRequest,
  place: ExportPlace,
  onSkipped: (path: string, reason: string) => void,
  context: WorkContext,
): Promise<WrittenOut> {
  const { onProgress = noProgress } = context;
  const room = await roomAt(place);
  const { leftOut, ignored } = await ignoredBelow(files, request, context);
  const tar = await files.pack(
    {
      path: request.guestPath,
      leftOut,
      ...(request.hasGit ? {} : { excludedNames: ['.git'] }),
      hasNames: true,
    },
    { signal: context.signal },
  );
  try {
    const entries = checkedEntries(tar, {
      hasGit: request.hasGit,
      // Whoever copies a folder expects it whole, and is told what stays behind.
      tellsGit: request.isMerge === true,
      room,
      onSkipped,
      signal: context.signal,
    });
    const folders: Buffer[] = [];
    const noted = noteFolders(entries, folders);
    const written =
      request.format === 'tar'
        ? await writeArchive(noted, place.temporary, basename(request.guestPath))
        : await writeFiles(noted, place.temporary, createMeter(onProgress, { phase: 'export', message: 'writing' }));
    for (const { path, reason } of await repositoriesIn(files, request, folders, context)) onSkipped(path, reason);
    return { ...written, ignored };
  } finally {
    tar.destroy();
  }
}

/** The entries, with the folders among them written down. */
async function* noteFolders(entries: AsyncIterable<ExportEntry>, folders: Buffer[]): AsyncGenerator<ExportEntry> {
  for await (const entry of entries) {
    if (entry.type === 'directory') folders.push(joinParts(entry.parts));
    yield entry;
  }
}

/** Repositories of which the files went out and the history did not, as the archive names them. */
async function repositoriesIn(
  files: GuestFiles,
  { guestPath, hasGit }: ExportRequest,
  folders: readonly Buffer[],
  context: WorkContext,
): Promise<OmittedPath[]> {
  if (hasGit || !isInWorkspace(guestPath)) return [];
  const below = pathKey(pathBelow(guestPath));
  const keys = folders.map((folder) => [below, pathKey(folder)].filter((part) => part !== '').join('/'));
  const found = await findRepositories(
    files,
    keys.filter((key) => key !== ''),
    context,
  );
  const start = below === '' ? 0 : pathBelow(guestPath).toString('utf8').length + 1;
  return found.map(({ path, reason }) => ({ path: path.slice(start), reason }));
}

function joinParts(parts: readonly Buffer[]): Buffer {
  return Buffer.from(parts.map((part) => part.toString('latin1')).join('/'), 'latin1');
}

function isInWorkspace(guestPath: string): boolean {
  return guestPath === workspaceFolder || guestPath.startsWith(`${workspaceFolder}/`);
}

/** What stays behind of a tree in /workspace. What is asked for by its own name goes out, even when it is ignored. */
async function ignoredBelow(
  files: GuestFiles,
  { guestPath, hasIgnored, workFolder }: ExportRequest,
  context: WorkContext,
): Promise<{ leftOut: Buffer[]; ignored: IgnoredCount }> {
  const nothing = { leftOut: [], ignored: { files: 0, bytes: 0 } };
  if (hasIgnored || !isInWorkspace(guestPath)) return nothing;
  const below = pathBelow(guestPath);
  await using lab = await GitLab.create(workFolder, context);
  const narrowed = { excludedNames: ['.git'], ...(below.length === 0 ? {} : { below }) };
  const { listed, ignored } = await surveyChanges(lab, files, narrowed, { workFolder, hasIgnored }, context);
  const paths = foldIgnored(listed, ignored);
  if (below.length > 0 && paths.some((path) => isBelow(below, path))) return nothing;
  const start = below.length === 0 ? 0 : below.length + 1;
  return { leftOut: paths.map((path) => path.subarray(start)), ignored: countIgnored(listed, ignored) };
}

async function writePatch(
  files: GuestFiles,
  request: ExportRequest,
  place: ExportPlace,
  onSkipped: (path: string, reason: string) => void,
  context: WorkContext,
): Promise<WrittenOut> {
  const { workFolder, guestPath: path, hasIgnored } = request;
  await using diff = await collectDiff(files, { workFolder, path, hasIgnored }, context);
  if (diff.patch === undefined) throw new PyroError('internal', 'a diff came without its patch');
  for (const { path, reason } of diff.omitted) onSkipped(path, reason);
  for (const { path: large, left_out_bytes: size } of diff.entries)
    if (size !== null) onSkipped(large, `${formatBytes(size)}, more than a patch can carry: export it as a file`);
  await copyFile(diff.patch.file, place.temporary, constants.COPYFILE_EXCL);
  const file = await open(place.temporary, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  return { type: 'file', entryCount: diff.entries.length, bytes: diff.patch.bytes, ignored: diff.ignored };
}
