// Bringing the changes of a workspace home, into the checkout it was created from.
import { realpath, stat } from 'node:fs/promises';
import type { GuestClient } from '../../agent/guest-client.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import { type ApplyResult as Applied, applyHome } from '../../changes/apply-home.ts';
import type { AppliedStates } from '../../changes/apply-plan.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { ApplyInput, ApplyOutput } from '../../contract/changes.ts';
import { isDiskFull, PyroError, systemCodeOf } from '../../shared/errors.ts';
import { Mutex } from '../../shared/mutex.ts';
import { formatCount } from '../../shared/units.ts';
import { belowWorkspace } from '../files/files.ts';
import { SecretWatch } from '../files/secret-watch.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { recordEvent } from '../output/events.ts';
import { basesFile, prepareApplied, readApplied } from '../workspace/applied-record.ts';
import { noteBroughtHome } from '../workspace/unsaved-work.ts';
import type { Workspace } from '../workspace/workspace.ts';

const shownChanges = 1000;

/** Applies one after the other, so that two workspaces cannot mix in one checkout. */
export class Applier {
  readonly #turns = new Map<string, { readonly mutex: Mutex; waiting: number }>();

  /** Throws `apply_conflict`, `seed_missing`, `secret_in_output`, `disk_full`. */
  async apply(workspace: Workspace, input: ApplyInput, call: WorkspaceCall): Promise<ApplyOutput> {
    const target = await findTarget(workspace, input.to, call);
    const turn = this.#turns.get(target) ?? { mutex: new Mutex(), waiting: 0 };
    this.#turns.set(target, turn);
    turn.waiting++;
    try {
      return await turn.mutex.run(() => apply(workspace, target, input, call));
    } finally {
      turn.waiting--;
      if (turn.waiting === 0) this.#turns.delete(target);
    }
  }
}

async function apply(
  workspace: Workspace,
  target: string,
  { path, include_ignored: hasIgnored, check: isCheck, '3way': isThreeWay }: ApplyInput,
  call: WorkspaceCall,
): Promise<ApplyOutput> {
  const below = path === undefined ? '' : belowWorkspace(path);
  return await workspace.use(call, async ({ guest }) => {
    call.onProgress({ phase: 'apply', message: 'reading the changes' });
    const files = createGuestFiles(guest.client);
    const watch = new SecretWatch(workspace.secrets, below);
    const { folder, scratch } = workspace.files;
    const applied = await readApplied(folder, target);
    const plan = {
      target,
      workFolder: scratch,
      hasIgnored,
      isCheck,
      isThreeWay,
      applied,
      basesFile: basesFile(folder),
      prepareRecord: async (madeIn: string, states: AppliedStates) =>
        await prepareApplied(folder, target, madeIn, states),
    };
    const whole = below === '' ? plan : { ...plan, path: below };
    const result = await applyHome(workspace.secrets.isEmpty ? files : watch.files(files), whole, call);
    if (!isCheck) {
      await noteApplied(workspace, target, result, call, below === '' ? guest.client : undefined).catch((error) => {
        // It has been done, whether or not there is room to record it.
        if (!isDiskFull(error)) throw error;
      });
    }
    return resultOf(workspace, target, isCheck, result);
  });
}

/** `client` when all of the changes were asked for. */
async function noteApplied(
  workspace: Workspace,
  target: string,
  { steps, marked }: Applied,
  call: WorkspaceCall,
  client: GuestClient | undefined,
): Promise<void> {
  if (steps.length > 0)
    await recordEvent(workspace.files.events, 'apply', `${target}: ${formatCount(steps.length, 'file')}`);
  if (client !== undefined && marked.length === 0) await noteBroughtHome(workspace, client, call);
}

function resultOf(workspace: Workspace, target: string, isCheck: boolean, result: Applied): ApplyOutput {
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
    workspace_id: workspace.record.id,
    target_path: target,
    checked_only: isCheck,
    changes: [...changes, ...unsettled],
    changes_truncated: result.steps.length > changes.length,
    changed_count: result.steps.length,
    conflict_count: result.marked.length,
    already_count: result.already.length,
    additions: result.additions,
    deletions: result.deletions,
    ignored: result.ignored,
    left_out: result.omitted.slice(0, 100).map(({ path, reason }) => ({ path, reason })),
  };
}

/** The folder to apply to, with its links resolved. */
async function findTarget({ record }: Workspace, given: string | undefined, call: WorkspaceCall): Promise<string> {
  const { seed } = record;
  const isFolder = seed.mode === 'git' || seed.mode === 'directory';
  const origin = isFolder && seed.origin_kind !== 'repo_url' ? seed.seed_path : null;
  const target = given ?? origin;
  if (target === null) {
    throw new PyroError('usage', `workspace ${record.id} was not created from a folder on this machine`, {
      hint: 'name the folder to change: pyro workspace apply ID --to FOLDER',
    });
  }
  const permitted = await permitHostPath(target, call.hostPaths);
  try {
    const real = await realpath(permitted);
    if ((await stat(real)).isDirectory()) return real;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' && systemCodeOf(error) !== 'ENOTDIR') throw error;
  }
  throw new PyroError(
    'seed_missing',
    `${target} is ${given === undefined ? 'no longer' : 'not'} a folder on this machine`,
    {
      hint: 'name the folder to change: pyro workspace apply ID --to FOLDER',
    },
  );
}
