// A file or folder of the guest onto the host: as files, as an archive, or what changed of it as a patch.
import { constants } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { GuestFiles } from '../agent/file-types.ts';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { collectDiff } from './diff.ts';
import { checkedEntries } from './export-entries.ts';
import { discard, type ExportPlace, findPlace, roomAt, settle } from './export-place.ts';
import { type Written, writeArchive, writeFiles } from './export-write.ts';
import type { WorkContext } from './git-lab.ts';

export interface ExportRequest {
  /** Absolute path in the guest; for a patch at or below /workspace */
  readonly guestPath: string;
  /** Absolute path on the host; whether it is allowed has been decided */
  readonly outputPath: string;
  readonly isOverwrite: boolean;
  /** True when folders named .git go out too */
  readonly hasGit: boolean;
  readonly format: 'files' | 'tar' | 'patch';
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
}

export interface ExportResult {
  readonly artifact_type: 'file' | 'directory' | 'symlink';
  readonly entry_count: number;
  readonly bytes_written: number;
  readonly output_path: string;
  /** Entries that were left out, with the reason; the first hundred of `skipped_count` */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly skipped_count: number;
}

const mostSkippedShown = 100;

/** Appears whole or not at all. Throws `export_refused`, `output_exists`, `disk_full`, and what reading the guest throws. */
export async function exportTree(
  files: GuestFiles,
  request: ExportRequest,
  context: WorkContext,
): Promise<ExportResult> {
  const place = await findPlace(request.outputPath, request.isOverwrite);
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
    await settle(place, request.isOverwrite);
    return {
      artifact_type: written.type,
      entry_count: written.entryCount,
      bytes_written: written.bytes,
      output_path: request.outputPath,
      skipped,
      skipped_count: skippedCount,
    };
  } catch (error) {
    await discard(place);
    if (!['ENOSPC', 'EDQUOT'].includes(systemCodeOf(error) ?? '')) throw error;
    throw new PyroError('disk_full', `no room left while exporting to ${request.outputPath}`, {
      hint: 'nothing was left behind; free some space or export a smaller path',
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
): Promise<Written> {
  const room = await roomAt(place);
  const tar = await files.pack(
    { path: request.guestPath, ...(request.hasGit ? {} : { excludedNames: ['.git'] }) },
    { signal: context.signal },
  );
  try {
    const entries = checkedEntries(tar, {
      hasGit: request.hasGit,
      room,
      onSkipped,
      signal: context.signal,
    });
    return request.format === 'tar'
      ? await writeArchive(entries, place.temporary, basename(request.guestPath))
      : await writeFiles(entries, place.temporary);
  } finally {
    tar.destroy();
  }
}

async function writePatch(
  files: GuestFiles,
  request: ExportRequest,
  place: ExportPlace,
  onSkipped: (path: string, reason: string) => void,
  context: WorkContext,
): Promise<Written> {
  await using diff = await collectDiff(files, { workFolder: request.workFolder, path: request.guestPath }, context);
  if (diff.patch === undefined) throw new PyroError('internal', 'a diff came without its patch');
  for (const { path, reason } of diff.omitted) onSkipped(path, reason);
  await copyFile(diff.patch.file, place.temporary, constants.COPYFILE_EXCL);
  const file = await open(place.temporary, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  return { type: 'file', entryCount: diff.entries.length, bytes: diff.patch.bytes };
}
