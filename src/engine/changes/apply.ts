// Bringing the changes of a workspace home, into the checkout it was created from.
import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { ApplyInput, ApplyOutput } from '../../contract/changes.ts';
import { isHostFault, PyroError, systemCodeOf } from '../../shared/errors.ts';
import { Mutex } from '../../shared/mutex.ts';
import { formatCount } from '../../shared/units.ts';
import { belowWorkspace } from '../files/files.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { noteBroughtHome } from '../workspace/unsaved-work.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { noteEvent } from '../workspace/workspace-secrets.ts';
import { type AppliedOutput, applyJob } from './apply-job.ts';

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
    const plan = { target, hasIgnored, isCheck, isThreeWay };
    const { folder } = workspace.files;
    // Beside the folders of all workspaces.
    const input = { plan, below, folder, notes: join(dirname(dirname(folder)), 'applies') };
    const applied = await runJob(workspace, applyJob, input, { guests: [guest.client], context: call });
    if (!isCheck) {
      await noteApplied(workspace, target, applied, call, below === '' ? guest.client : undefined).catch((error) => {
        // It has been done, whether or not there is room to record it.
        if (!isHostFault(error)) throw error;
      });
    }
    return { workspace_id: workspace.record.id, target_path: target, checked_only: isCheck, ...applied };
  });
}

/** `client` when all of the changes were asked for. */
async function noteApplied(
  workspace: Workspace,
  target: string,
  { changed_count: count, conflict_count: conflicts }: AppliedOutput,
  call: WorkspaceCall,
  client: GuestClient | undefined,
): Promise<void> {
  if (count > 0) {
    await noteEvent(workspace, 'apply', `${target}: ${formatCount(count, 'file')}`);
    await workspace.audit.note({ kind: 'apply', direction: 'out', what: target, files: count });
  }
  if (client !== undefined && conflicts === 0) await noteBroughtHome(workspace, client, call);
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
