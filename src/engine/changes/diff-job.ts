// What changed in a guest, worked out outside the daemon: the patch and the entries stay in files, and only facts come back.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestFiles } from '../../agent/file-types.ts';
import { collectDiff, type DiffRequest, largestCounted, largestPatched } from '../../changes/diff.ts';
import { countLines, type DiffResult, type DiffSummary, type LineCounts } from '../../changes/diff-types.ts';
import type { OmittedPath } from '../../changes/import-trees.ts';
import type { IgnoredCount } from '../../changes/listed-changes.ts';
import type { PatchEntry } from '../../contract/changes.ts';
import { formatBytes } from '../../shared/units.ts';
import { maskDiff } from '../files/masks.ts';
import { SecretWatch } from '../files/secret-watch.ts';
import { guestFilesOf, type Job, type JobTools } from '../jobs/job.ts';
import { writeEntries } from './kept-entries.ts';
import { changesSince } from './snapshot-changes.ts';

export interface DiffJobInput {
  readonly options: Omit<DiffRequest, 'workFolder'>;
  /** True to compare with what the second guest shows in place of the seed */
  readonly isSinceSnapshot: boolean;
}

export interface DiffFacts extends LineCounts {
  readonly changed: boolean;
  readonly summary: DiffSummary;
  readonly ignored: IgnoredCount;
  /** What the patch leaves out: the first of `leftOutCount` */
  readonly leftOut: readonly OmittedPath[];
  readonly leftOutCount: number;
  /** Those of them that are not entries: the first of what Git cannot hold */
  readonly omitted: readonly OmittedPath[];
}

/** Files in the folder of the job. */
export interface MadeDiff {
  readonly patch: { readonly file: string; readonly bytes: number } | undefined;
  /** File of its entries, in their order */
  readonly entries: string;
  readonly facts: DiffFacts;
}

const mostLeftOutKept = 100;
const mostSystemChanges = 1000;

export const diffJob: Job<DiffJobInput, MadeDiff> = { name: 'diff', run: makeDiff };

async function makeDiff({ options, isSinceSnapshot }: DiffJobInput, tools: JobTools): Promise<MadeDiff> {
  const { guests, secrets, workFolder } = tools;
  const present = guestFilesOf(tools);
  await using undo = new AsyncDisposableStack();
  let source = present;
  if (isSinceSnapshot) {
    const earlier = guestFilesOf({ guests: guests.slice(1) });
    const isStatOnly = options.isStatOnly === true;
    const { path = '', maxFileBytes, hasIgnored = false } = options;
    const narrowed = {
      hasIgnored,
      ...(path === '' ? {} : { below: Buffer.from(path) }),
      largestContent: Math.min(maxFileBytes ?? largestPatched, isStatOnly ? largestCounted : largestPatched),
    };
    const since = undo.use(await changesSince(workFolder, earlier, present, narrowed, tools));
    // What was asked for by name is in the guest as it is now.
    source = {
      ...present,
      changes: (wanted, context) => (wanted.isExact ? present.changes(wanted, context) : since.changes()),
    };
  }
  const isWatched = !secrets.isEmpty && options.isStatOnly !== true;
  const files: GuestFiles = isWatched ? new SecretWatch(secrets, options.path ?? '').files(source) : source;
  await using diff = await collectDiff(files, { ...options, workFolder }, tools);
  const entries = join(workFolder, 'entries');
  const shown = maskDiff(diff, secrets);
  await writeEntries(entries, shown.entries);
  const facts = factsOf(shown);
  if (diff.patch === undefined) return { patch: undefined, entries, facts };
  // The lab and all in it goes away with the diff.
  const file = join(workFolder, 'patch');
  await rename(diff.patch.file, file);
  return { patch: { file, bytes: diff.patch.bytes }, entries, facts };
}

function factsOf({ changed, summary, entries, ignored, omitted, whyLeftOut }: DiffResult): DiffFacts {
  const leftOut: OmittedPath[] = [];
  let leftOutCount = omitted.length;
  for (const { path, left_out_bytes: size } of entries) {
    if (size === null) continue;
    leftOutCount++;
    if (leftOut.length < mostLeftOutKept) leftOut.push({ path, reason: `${formatBytes(size)}, ${whyLeftOut(size)}` });
  }
  leftOut.push(...omitted.slice(0, mostLeftOutKept - leftOut.length));
  const lines = countLines(entries);
  return { changed, summary, ...lines, ignored, leftOut, leftOutCount, omitted: omitted.slice(0, mostLeftOutKept) };
}

/** What changed outside /workspace, without contents. */
export const systemJob: Job<undefined, PatchEntry[]> = {
  name: 'system-changes',
  run: async (_input, { guests, secrets, signal }) => {
    const found: PatchEntry[] = [];
    const changes = guestFilesOf({ guests }).changes({ scope: 'system', hasContent: false }, { signal });
    for await (const { path, before, after } of changes) {
      const status = before === undefined ? 'added' : after === undefined ? 'deleted' : 'modified';
      found.push({ path: secrets.maskText(`/${path.toString('utf8')}`), status });
      if (found.length >= mostSystemChanges) break;
    }
    return found;
  },
};
