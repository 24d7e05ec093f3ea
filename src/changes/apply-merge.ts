// Files that both the guest and the host have changed: as `git apply` would take them, or merged from the three versions.
import { constants, createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { mebibyte } from '../shared/units.ts';
import { type ApplyStep, type Contested, stepOf } from './apply-plan.ts';
import type { GitLab } from './git-lab.ts';
import { look, placeOf } from './host-state.ts';

export interface MergeResult {
  readonly merged: readonly ApplyStep[];
  /** Merged with marks of conflicts in them */
  readonly marked: readonly Buffer[];
  readonly refused: readonly Contested[];
  /** Have the guest's changes in them already, beside the host's own */
  readonly already: readonly Buffer[];
}

/** The version from which both sides went on: the one that was applied last, else the seed's; undefined where it was not kept */
export type BaseOf = (each: Contested) => string | undefined;

/** Each takes some processes of Git, whether it succeeds or not */
const mostTried = 1000;
const regular = /^100/;
const ourLabel = 'this checkout';
const firstMark = new RegExp(`\\n<<<<<<< ${ourLabel}\\r?\\n`);
const longestMark = 64;
export const emptyBlob = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';

/** Tries each file; what cannot be merged is refused. `isThreeWay` leaves marks where both changed the same lines. */
export async function mergeContested(
  lab: GitLab,
  root: string,
  contested: readonly Contested[],
  isThreeWay: boolean,
  baseOf: BaseOf,
): Promise<MergeResult> {
  const merged: ApplyStep[] = [];
  const marked: Buffer[] = [];
  const refused: Contested[] = [];
  const already: Buffer[] = [];
  let tried = 0;
  for (const each of contested) {
    const { change, state } = each;
    const base = baseOf(each);
    const isFile = state.kind === 'file' && regular.test(change.newMode);
    if (!isFile || base === undefined) {
      refused.push(each);
      continue;
    }
    if (++tried > mostTried) {
      refused.push({
        ...each,
        reason: `${each.reason}; ${mostTried} files can be merged at once, so apply them in parts`,
      });
      continue;
    }
    const place = placeOf(root, change.path);
    if (await hasMarks(place)) {
      refused.push({ ...each, reason: 'still has conflict markers from an earlier apply: resolve them first' });
      continue;
    }
    const ours = await storeFile(lab, place);
    const whole = await merge(lab, each, ours, base);
    // Without a version that both went on from, there is no place to fit into.
    const hasPlaces = isThreeWay || change.letter === 'M' || base !== emptyBlob;
    // A merge that leaves the host's file as it is: an earlier apply, or the person, has put all of it in.
    if (hasPlaces && whole?.blob === ours && !whole.hasConflict && state.mode === change.newMode) {
      already.push(change.path);
      continue;
    }
    // A place that was only guessed from the lines around it would be another one wherever they stand twice.
    const isClean = hasPlaces && whole?.hasConflict === false;
    const isFitting = isThreeWay || (isClean && (await fits(lab, each, ours, base)));
    const result = isFitting ? whole : undefined;
    if (result === undefined) {
      refused.push({ ...each, isMergeable: whole !== undefined });
      continue;
    }
    // The permissions of the guest's side, which has the last word on them.
    const { path, newMode } = change;
    merged.push(stepOf({ path, newMode, newBlob: result.blob, letter: 'M' }, state));
    if (result.hasConflict) marked.push(path);
  }
  return { merged, marked, refused, already };
}

/** True for a file of the host that has the marks of an earlier merge in it, whatever its line ends. */
export async function hasMarks(place: Buffer): Promise<boolean> {
  if ((await look(place))?.isFile() !== true) return false;
  await using file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
  let held = '\n';
  for await (const chunk of file.createReadStream({ autoClose: false, encoding: 'latin1', highWaterMark: mebibyte })) {
    const text = `${held}${chunk}`;
    if (firstMark.test(text)) return true;
    held = text.slice(-longestMark);
  }
  return false;
}

/** The host's file as a blob of the lab. */
async function storeFile(lab: GitLab, place: Buffer): Promise<string> {
  await using file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
  const input = file.createReadStream();
  return (await lab.run(['hash-object', '-w', '--no-filters', '--stdin'], { input })).stdout.trim();
}

interface Merged {
  readonly blob: string;
  readonly hasConflict: boolean;
}

/** As `git apply` judges it: all lines around each change stand here as they stood. */
async function fits(lab: GitLab, { change }: Contested, ours: string, base: string): Promise<boolean> {
  const options = ['-p', '--binary', '--full-index', '--no-ext-diff', '--no-textconv', '--no-color'];
  const trees: string[] = [];
  for (const blob of [base, change.newBlob])
    trees.push((await lab.run(['mktree', '-z'], { input: entryOf(blob) })).stdout.trim());
  await lab.run(['diff-tree', ...options, ...trees], { outputFile: 'contested.patch' });
  await rm(lab.file('index'), { force: true });
  await lab.run(['read-tree', '--empty']);
  await lab.run(['update-index', '-z', '--index-info'], { input: entryOf(ours) });
  return (await lab.tryRun(['apply', '--cached', '--binary', lab.file('contested.patch')])).exitCode === 0;
}

function entryOf(blob: string): string {
  return `100644 blob ${blob}\tcontested\0`;
}

async function merge(lab: GitLab, { change }: Contested, ours: string, base: string): Promise<Merged | undefined> {
  const sides = [
    ['ours', ours],
    ['base', base],
    ['theirs', change.newBlob],
  ] as const;
  for (const [name, blob] of sides) await lab.run(['cat-file', 'blob', blob], { outputFile: name });
  const labels = ['-L', ourLabel, '-L', 'before', '-L', 'the workspace'];
  const files = sides.map(([name]) => lab.file(name));
  // The exit code counts the conflicts; what cannot be merged at all, bytes that are no text, is beyond them.
  const result = await lab.tryRun(['merge-file', '-p', ...labels, ...files], { outputFile: 'merged' });
  if (result.exitCode > 127) return undefined;
  const input = createReadStream(lab.file('merged'));
  const { stdout } = await lab.run(['hash-object', '-w', '--no-filters', '--stdin'], { input });
  return { blob: stdout.trim(), hasConflict: result.exitCode > 0 };
}
