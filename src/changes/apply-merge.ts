// Files that both the guest and the host have changed: as `git apply` would take them, or merged from the three versions.
import { constants, createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { type ApplyStep, type Contested, stepOf } from './apply-plan.ts';
import { type GitLab, splitRecords } from './git-lab.ts';
import { placeOf } from './host-state.ts';
import { afterRef, beforeRef } from './import-trees.ts';

export interface MergeResult {
  readonly merged: readonly ApplyStep[];
  /** Merged with marks of conflicts in them */
  readonly marked: readonly Buffer[];
  readonly refused: readonly Contested[];
  /** Have the guest's changes in them already, beside the host's own */
  readonly already: readonly Buffer[];
}

/** More than this many are not worth a try each */
const mostTried = 1000;
const regular = /^100/;

/** Tries each file; what cannot be merged is refused. `isThreeWay` leaves marks where both changed the same lines. */
export async function mergeContested(
  lab: GitLab,
  root: string,
  contested: readonly Contested[],
  isThreeWay: boolean,
): Promise<MergeResult> {
  const merged: ApplyStep[] = [];
  const marked: Buffer[] = [];
  const refused: Contested[] = [];
  const already: Buffer[] = [];
  for (const each of contested) {
    const { change, state } = each;
    const isText = state.kind === 'file' && regular.test(change.newMode) && (change.letter === 'M' || isThreeWay);
    if (!isText || merged.length >= mostTried) {
      refused.push(each);
      continue;
    }
    const ours = await storeFile(lab, placeOf(root, change.path));
    const whole = await merge(lab, each, ours);
    // A merge that leaves the host's file as it is: an earlier apply, or the person, has put all of it in.
    if (whole?.blob === ours && !whole.hasConflict && state.mode === change.newMode) {
      already.push(change.path);
      continue;
    }
    const result = isThreeWay ? whole : await patch(lab, each, ours);
    if (result === undefined) {
      refused.push(each);
      continue;
    }
    // The permissions of the guest's side, which has the last word on them.
    const { path, newMode } = change;
    merged.push(stepOf({ path, newMode, newBlob: result.blob, letter: 'M' }, state));
    if (result.hasConflict) marked.push(path);
  }
  return { merged, marked, refused, already };
}

/** The host's file as a blob of the lab. */
async function storeFile(lab: GitLab, place: Buffer): Promise<string> {
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const input = createReadStream('', { fd: file.fd, autoClose: false });
    return (await lab.run(['hash-object', '-w', '--no-filters', '--stdin'], { input })).stdout.trim();
  } finally {
    await file.close();
  }
}

interface Merged {
  readonly blob: string;
  readonly hasConflict: boolean;
}

async function patch(lab: GitLab, { change, state }: Contested, ours: string): Promise<Merged | undefined> {
  const name = change.key;
  if (Buffer.from(name).length !== name.length) return undefined;
  const options = ['-p', '--binary', '--full-index', '--no-renames', '--no-ext-diff', '--no-textconv', '--no-color'];
  await lab.run(['diff-tree', '-r', ...options, beforeRef, afterRef, '--', name], { outputFile: 'contested.patch' });
  await rm(lab.file('index'), { force: true });
  await lab.run(['read-tree', '--empty']);
  await lab.run(['update-index', '-z', '--index-info'], { input: `${state.mode} ${ours} 0\t${name}\0` });
  const applied = await lab.tryRun(['apply', '--cached', '--binary', lab.file('contested.patch')]);
  if (applied.exitCode !== 0) return undefined;
  const [entry = Buffer.alloc(0)] = splitRecords(await lab.runForBytes(['ls-files', '-s', '-z']));
  const blob = /^\d{6} ([0-9a-f]{40}) /.exec(entry.toString('latin1'))?.[1];
  return blob === undefined ? undefined : { blob, hasConflict: false };
}

async function merge(lab: GitLab, { change }: Contested, ours: string): Promise<Merged | undefined> {
  const isNew = change.letter === 'A';
  const sides = [
    ['ours', ours],
    ['seed', isNew ? undefined : change.oldBlob],
    ['theirs', change.newBlob],
  ] as const;
  for (const [name, blob] of sides) {
    if (blob === undefined) await lab.write(name, Buffer.alloc(0));
    else await lab.run(['cat-file', 'blob', blob], { outputFile: name });
  }
  const labels = ['-L', 'this checkout', '-L', 'the seed', '-L', 'the workspace'];
  const files = sides.map(([name]) => lab.file(name));
  // The exit code counts the conflicts; what cannot be merged at all, bytes that are no text, is beyond them.
  const result = await lab.tryRun(['merge-file', '-p', ...labels, ...files], { outputFile: 'merged' });
  if (result.exitCode > 127) return undefined;
  const input = createReadStream(lab.file('merged'));
  const { stdout } = await lab.run(['hash-object', '-w', '--no-filters', '--stdin'], { input });
  return { blob: stdout.trim(), hasConflict: result.exitCode > 0 };
}
