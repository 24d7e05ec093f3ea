// Back to the seed or to a snapshot: the new state is prepared first and then replaces the old one.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError } from '../../shared/errors.ts';
import { forgetApplied } from '../workspace/applied-record.ts';
import { planOf, startAbove } from '../workspace/guest-plan.ts';
import { layerOf, removeUnneeded } from '../workspace/snapshots.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { afterReset, newLayer } from '../workspace/workspace-record.ts';
import { noteEvent } from '../workspace/workspace-secrets.ts';

/** Throws `snapshot_unknown`; after any failure the workspace is as it was, or stopped if memory holds only one guest. */
export async function resetWorkspace(workspace: Workspace, snapshot: string, context: CallContext): Promise<void> {
  await workspace.exclusively(
    context,
    async () => {
      const { files, record } = workspace;
      const below = snapshot === 'baseline' ? null : layerOf(record, snapshot);
      using reservation = await reserve(workspace, context);
      const disk = newLayer();
      await using undo = new AsyncDisposableStack();
      undo.defer(() => rm(join(files.folder, disk), { force: true }));
      const plan = await planOf(workspace, { ...record, disk, layers: { ...record.layers, [disk]: below } }, context);
      const started = await startAbove(await workspace.resources.machine(context), plan, below, context);
      undo.use(started.guest);
      undo.defer(() => workspace.network.close(started.guest.client));
      await workspace.replaceGuest(started, reservation, afterReset(record, disk, below, started.record));
      undo.move();
      await forgetApplied(files.folder, record.snapshots.find(({ name }) => name === snapshot)?.created_at);
      await removeUnneeded(workspace);
      await noteEvent(workspace, 'reset', snapshot);
    },
    true,
  );
}

/** Memory for the new guest beside the old one; if both do not fit, the old one is stopped and gives up its memory. */
async function reserve(workspace: Workspace, context: CallContext): Promise<Disposable> {
  try {
    return workspace.memory.reserve();
  } catch (error) {
    if (workspace.record.guest === null || !isPyroError(error, 'memory_exhausted')) throw error;
    context.onProgress({ phase: 'reset', message: 'stopping the guest: memory does not hold two of its size' });
    return await workspace.stopForReplacement(context);
  }
}
