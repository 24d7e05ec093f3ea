// The changes of a guest into a folder of the host, worked out and written outside the daemon.
import { type ApplyRequest, type ApplyResult, applyHome } from '../../changes/apply-home.ts';
import type { AppliedStates } from '../../changes/apply-plan.ts';
import type { ApplyOutput } from '../../contract/changes.ts';
import { SecretWatch } from '../files/secret-watch.ts';
import { guestFilesOf, type Job } from '../jobs/job.ts';
import { basesFile, prepareApplied, readApplied } from '../workspace/applied-record.ts';

export interface ApplyJobInput {
  readonly plan: Pick<ApplyRequest, 'target' | 'hasIgnored' | 'isCheck' | 'isThreeWay'>;
  /** Path below /workspace; all of it when empty */
  readonly below: string;
  /** The workspace's own folder, which holds what earlier ones have put into the target */
  readonly folder: string;
  /** Folder with notes on what applies are at, of all workspaces */
  readonly notes: string;
}

export type AppliedOutput = Omit<ApplyOutput, 'workspace_id' | 'target_path' | 'checked_only'>;

const shownChanges = 1000;
const shownLeftOut = 100;

export const applyJob: Job<ApplyJobInput, AppliedOutput> = {
  name: 'apply',
  run: async ({ plan, below, folder, notes }, { guests, secrets, workFolder, signal, onProgress }) => {
    const files = guestFilesOf({ guests });
    const { target } = plan;
    const request = {
      ...plan,
      ...(below === '' ? {} : { path: below }),
      workFolder,
      notes,
      applied: await readApplied(folder, target),
      basesFile: basesFile(folder),
      prepareRecord: async (madeIn: string, states: AppliedStates) =>
        await prepareApplied(folder, target, madeIn, states),
    };
    const source = secrets.isEmpty ? files : new SecretWatch(secrets, below).files(files);
    return outputOf(await applyHome(source, request, { signal, onProgress }));
  },
};

function outputOf(result: ApplyResult): AppliedOutput {
  const marked = new Set(result.marked.map((path) => path.toString('latin1')));
  const merged = new Set(result.merged.map((path) => path.toString('latin1')));
  const changes = result.steps.slice(0, shownChanges).map(({ path, status }) => {
    const key = path.toString('latin1');
    return { path: path.toString('utf8'), status: marked.has(key) ? 'conflict' : merged.has(key) ? 'merged' : status };
  });
  const unsettled = result.marked
    .filter((path) => !merged.has(path.toString('latin1')))
    .slice(0, shownChanges - changes.length)
    .map((path) => ({ path: path.toString('utf8'), status: 'conflict' }));
  return {
    changes: [...changes, ...unsettled],
    changes_truncated: result.steps.length > changes.length,
    changed_count: result.steps.length,
    conflict_count: result.marked.length,
    already_count: result.already.length,
    additions: result.additions,
    deletions: result.deletions,
    ignored: result.ignored,
    left_out: result.omitted.slice(0, shownLeftOut).map(({ path, reason }) => ({ path, reason })),
  };
}
