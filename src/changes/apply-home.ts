// The changes of a guest into the folder of the host that it was seeded from: all of them, or none and the reason for each.
import type { GuestFiles } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { formatCount } from '../shared/units.ts';
import { baseOf, lastBlob, openBases, prepareBases, sizesOf, takenBack } from './apply-base.ts';
import { compareTrees, countSteps } from './apply-lines.ts';
import { hasMarks, mergeContested } from './apply-merge.ts';
import { isOwnPlace } from './apply-notes.ts';
import { type AppliedStates, type ApplyStep, appliedState, type Contested, planApply } from './apply-plan.ts';
import { recoverApply } from './apply-undo.ts';
import { assertWritable, writeSteps } from './apply-write.ts';
import { tellStep } from './change-progress.ts';
import { importChanges } from './diff.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { pathKey } from './git-paths.ts';
import { placeOf } from './host-state.ts';
import { afterRef, beforeRef, type OmittedPath } from './import-trees.ts';
import type { IgnoredCount } from './listed-changes.ts';

export interface ApplyRequest {
  /** Real path of the folder on the host */
  readonly target: string;
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  /** File or folder at or below /workspace; relative paths are below it */
  readonly path?: string;
  readonly hasIgnored: boolean;
  /** Paths up to which a list names the files of ignored folders; it changes nothing of what is brought */
  readonly longestPlain?: number;
  /** True to say what would be done, and do nothing */
  readonly isCheck: boolean;
  /** True to merge files that both sides have changed, with marks where they changed the same lines */
  readonly isThreeWay: boolean;
  /** What earlier ones have put into this folder */
  readonly applied: AppliedStates;
  /** File that keeps the contents of what they have put there */
  readonly basesFile: string;
  /** Folder of pyro's own with notes on what applies are at, the same for all of them */
  readonly notes: string;
  /** Makes the record of what is there then ready in a private folder; what it gives puts it in force */
  readonly prepareRecord?: (folder: string, applied: AppliedStates) => Promise<() => Promise<void>>;
}

export interface ApplyResult {
  readonly steps: readonly ApplyStep[];
  /** What is there now as in the guest, of this and of earlier ones */
  readonly applied: AppliedStates;
  readonly already: readonly Buffer[];
  /** Files that the host had changed too and that took the changes all the same */
  readonly merged: readonly Buffer[];
  /** Files that have marks of conflicts now, of this merge or still of an earlier one */
  readonly marked: readonly Buffer[];
  readonly additions: number;
  readonly deletions: number;
  readonly ignored: IgnoredCount;
  /** Paths that Git, and so this, cannot bring */
  readonly omitted: readonly OmittedPath[];
}

const mostNamed = 10;
const mostHopeless = 3;
const ownReason = 'has a name that only an apply itself may use here';
const keptReason = 'was applied, then undone in the workspace, and has changed here since: it stays';

/** Throws `apply_conflict` with the files that stand against it, `disk_full`, and what reading the guest throws. */
export async function applyHome(files: GuestFiles, request: ApplyRequest, context: WorkContext): Promise<ApplyResult> {
  const { target, workFolder, isCheck, isThreeWay, applied, notes } = request;
  if (!isCheck) await recoverApply({ root: target, notes });
  await using lab = await GitLab.create(workFolder, context);
  const { imported, ignored, omitted, unlisted } = await importChanges(
    lab,
    files,
    { ...request, alsoKeys: [...applied.keys()] },
    undefined,
    context,
  );
  await openBases(lab, request.basesFile);
  tellStep(context, 'comparing');
  const compared = await compareTrees(lab, beforeRef, afterRef);
  const raw = compared.filter(({ path }) => !isOwnPlace(path));
  // What is ignored is not listed: brought on demand before, it is left as it is now.
  const changes = raw.filter(({ key }) => !unlisted.has(key));
  const changedKeys = new Set(raw.map(({ key }) => key));
  const backKeys = new Set([...unlisted].filter((key) => imported.paths.has(key) && !changedKeys.has(key)));
  const back = await takenBack(lab, backKeys, applied);
  tellStep(context, `checking ${target}`);
  const plan = await planApply(target, [...changes, ...back], applied, context.signal);
  const bases = await sizesOf(
    lab,
    plan.contested.flatMap(({ change }) => lastBlob(applied, change.key) ?? []),
  );
  const merge = await mergeContested(lab, target, plan.contested, isThreeWay, ({ change }) =>
    baseOf(change, applied, bases),
  );
  const { merged, marked, already } = merge;
  const isBack = ({ change }: Contested): boolean => backKeys.has(change.key);
  const refused = merge.refused.filter((each) => !isBack(each));
  if (refused.length > 0) throw conflict(refused, isThreeWay);
  const steps = [...plan.steps, ...merged];
  const lines = await countSteps(lab, target, steps, raw);
  const nowApplied = new Map([
    ...[...applied].filter(([key]) => !backKeys.has(key)),
    ...changes.map((change): [string, string] => [change.key, appliedState(change)]),
  ]);
  if (isCheck && steps.length > 0) await assertWritable(target);
  if (!isCheck) {
    // Whatever may find no room comes before the first change.
    const keep = isSame(applied, nowApplied) ? [] : await prepareRecords(lab, request, nowApplied);
    tellStep(context, `writing ${formatCount(steps.length, 'change')} into ${target}`);
    if (steps.length > 0) await writeSteps(lab, { root: target, notes }, steps, context.signal);
    for (const each of keep) await each();
  }
  const unsettled: Buffer[] = [];
  for (const path of plan.newer) if (await hasMarks(placeOf(target, path))) unsettled.push(path);
  return {
    steps,
    applied: nowApplied,
    already: [...plan.already, ...already].filter((path) => !backKeys.has(pathKey(path))),
    merged: merged.map(({ path }) => path),
    marked: [...marked, ...unsettled],
    ...lines,
    ignored,
    omitted: [
      ...omitted,
      ...compared
        .filter(({ path }) => isOwnPlace(path))
        .map(({ path }) => ({ path: path.toString('utf8'), reason: ownReason })),
      ...merge.refused.filter(isBack).map(({ change }) => ({ path: change.path.toString('utf8'), reason: keptReason })),
    ],
  };
}

async function prepareRecords(
  lab: GitLab,
  { basesFile, prepareRecord }: ApplyRequest,
  applied: AppliedStates,
): Promise<(() => Promise<void>)[]> {
  const bases = await prepareBases(lab, basesFile, applied);
  return prepareRecord === undefined ? [bases] : [bases, await prepareRecord(lab.folder, applied)];
}

function isSame(one: AppliedStates, other: AppliedStates): boolean {
  return one.size === other.size && [...one].every(([key, state]) => other.get(key) === state);
}

function conflict(refused: readonly Contested[], isThreeWay: boolean): PyroError {
  const names = (some: readonly Contested[]): string[] => some.map(({ change }) => change.path.toString('utf8'));
  const lines = refused.map(({ change, reason }) => `${change.path.toString('utf8')} ${reason}`);
  const more = lines.length > mostNamed ? `; and ${lines.length - mostNamed} more` : '';
  return new PyroError('apply_conflict', `nothing was applied: ${lines.slice(0, mostNamed).join('; ')}${more}`, {
    hint: hintOf(refused.length, isThreeWay ? names(refused) : names(refused.filter((each) => !each.isMergeable))),
    details: { paths: names(refused.slice(0, 100)) },
  });
}

/** `hopeless` are those that no merge helps. */
function hintOf(count: number, hopeless: readonly string[]): string {
  if (hopeless.length === 0)
    return 'merge with --3way, leave these files out with --path, or apply elsewhere with --to';
  if (hopeless.length === count)
    return 'these cannot be merged: set your own versions aside, or apply the rest with --path';
  const more = hopeless.length > mostHopeless ? ` and ${hopeless.length - mostHopeless} more` : '';
  const named = `${hopeless.slice(0, mostHopeless).join(', ')}${more}`;
  return `${named} cannot be merged: set your own versions aside, then merge the others with --3way; or apply a part with --path`;
}
