// What earlier applies have put on the host, as the versions that a later one continues from; kept in a pack beside the record of it.
import { createReadStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import type { GuestFiles } from '../agent/file-types.ts';
import { mebibyte } from '../shared/units.ts';
import { exists } from '../system/files.ts';
import { emptyBlob } from './apply-merge.ts';
import { type AppliedStates, noBlob, noMode } from './apply-plan.ts';
import { type GitLab, splitRecords, type WorkContext } from './git-lab.ts';
import { beforeRef } from './import-trees.ts';
import { RawChange } from './raw-diff.ts';
import { changesAt } from './single-paths.ts';

/** A larger file is not kept: what the host has made of it since stands against the next apply */
const largestKept = mebibyte;
const mostKept = 256 * mebibyte;

/** Puts what the pack holds into the lab, and the empty file. */
export async function openBases(lab: GitLab, pack: string): Promise<void> {
  await lab.run(['hash-object', '-w', '--stdin'], { input: '' });
  // One that cannot be read is as none.
  if (await exists(pack)) await lab.tryRun(['index-pack', '--stdin'], { input: createReadStream(pack) });
}

/** Makes a pack of the contents of these that the lab has, for the next time; what it gives puts it in its place. */
export async function prepareBases(lab: GitLab, pack: string, applied: AppliedStates): Promise<() => Promise<void>> {
  const blobs = [...new Set([...applied.values()].map(blobOf))];
  const kept: string[] = [];
  let sum = 0;
  for (const [blob, size] of await sizesOf(lab, blobs)) {
    if (size > largestKept || sum + size > mostKept) continue;
    sum += size;
    kept.push(blob);
  }
  const name = 'kept.pack';
  const input = kept.map((blob) => `${blob}\n`).join('');
  await lab.run(['pack-objects', '--stdout', '-q', '--window=0'], { input, outputFile: name });
  return async () => await rename(lab.file(name), pack);
}

/** Which of the blobs the lab has, with their sizes. */
export async function sizesOf(lab: GitLab, blobs: readonly string[]): Promise<Map<string, number>> {
  const input = blobs.map((blob) => `${blob}\n`).join('');
  const listed = (await lab.runForBytes(['cat-file', '--batch-check'], { input })).toString('latin1');
  return new Map(
    listed.split('\n').flatMap((line): [string, number][] => {
      const [, blob, size] = /^([0-9a-f]{40}) blob (\d+)$/.exec(line) ?? [];
      return blob === undefined ? [] : [[blob, Number(size)]];
    }),
  );
}

/** What was applied once and stands in the guest as in the seed again: from the one state to the other. */
export async function takenBack(
  lab: GitLab,
  keys: ReadonlySet<string>,
  applied: AppliedStates,
): Promise<readonly RawChange[]> {
  if (keys.size === 0) return [];
  const seed = new Map<string, { mode: string; blob: string }>();
  for (const record of splitRecords(await lab.runForBytes(['ls-tree', '-r', '-z', '--full-tree', beforeRef]))) {
    const [, mode = '', blob = '', key = ''] =
      /^(\d{6}) blob ([0-9a-f]{40})\t(.*)$/s.exec(record.toString('latin1')) ?? [];
    seed.set(key, { mode, blob });
  }
  return [...keys].map((key) => {
    const [oldMode = noMode, oldBlob = noBlob] = applied.get(key)?.split(' ') ?? [];
    const { mode: newMode, blob: newBlob } = seed.get(key) ?? { mode: noMode, blob: noBlob };
    const letter = newMode === noMode ? 'D' : oldMode === noMode ? 'A' : 'M';
    return new RawChange({ letter, oldKey: key, key, oldMode, newMode, oldBlob, newBlob });
  });
}

/** How many of these, which stand in no list of what changed, are in the guest as in the seed; the others are ignored there. */
export async function countTakenBack(
  files: GuestFiles,
  keys: readonly string[],
  context: WorkContext,
): Promise<number> {
  let count = 0;
  for await (const { before, after } of changesAt(files, keys, { hasContent: false }, context))
    if (before !== undefined || after === undefined) count++;
  return count;
}

/** The version that both sides went on from, where it is known. */
export function baseOf(
  { letter, key, oldBlob }: RawChange,
  applied: AppliedStates,
  kept: ReadonlyMap<string, number>,
): string | undefined {
  const last = applied.get(key);
  if (last === undefined) return letter === 'A' ? emptyBlob : oldBlob;
  if (last.startsWith(noMode)) return emptyBlob;
  return kept.has(blobOf(last)) ? blobOf(last) : undefined;
}

export function lastBlob(applied: AppliedStates, key: string): string | undefined {
  const last = applied.get(key);
  return last === undefined ? undefined : blobOf(last);
}

function blobOf(state: string): string {
  return state.slice(state.indexOf(' ') + 1);
}
