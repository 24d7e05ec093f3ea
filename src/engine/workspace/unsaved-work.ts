// What of a workspace was not brought home: counted when it stops, so that whoever clears up knows what would be lost.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { ChangeCounts, WorkspaceRecord } from '../../contract/records.ts';
import type { UnsavedWork } from '../../contract/workspaces.ts';
import { isTrouble } from '../../machine/guest-trouble.ts';
import type { Guest } from '../../machine/machine.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { noProgress } from '../../shared/progress.ts';
import { countJob } from './count-job.ts';
import type { Workspace } from './workspace.ts';
import { runJob } from './workspace-jobs.ts';

/** A guest that takes longer than this to tell what changed is stopped all the same */
const longestCountMs = 20_000;
/** And one that is about to be deleted must not hold that up for long */
const longestLookMs = 8000;

/** Counts what changed since the seed; undefined when the guest does not tell in time. */
export async function countChanges(
  workspace: Workspace,
  client: GuestClient,
  { signal }: Pick<CallContext, 'signal'>,
  limitMs = longestCountMs,
): Promise<ChangeCounts | undefined> {
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    const context = { signal: limited, onProgress: noProgress };
    return await runJob(workspace, countJob, { folder: workspace.files.folder }, { guests: [client], context });
  } catch {
    // Not known is an answer: nothing is thrown away for it.
    return undefined;
  }
}

/** So long a guest that is to be stopped has for writing what it holds, `ms` */
const syncMs = 20_000;

/**
 * For a guest that is about to be stopped: what should end well is asked to, what changed is written down, and what it
 * has written is on its disk. One that nobody wants to stop any more, or that is left to the next daemon, runs on.
 */
export async function settleForStop(workspace: Workspace, guest: Guest, context: CallContext): Promise<void> {
  const { client } = guest;
  try {
    await guest.use(async () => {
      await workspace.tenants.quiesce(context.signal);
      await workspace.update({ changes: (await countChanges(workspace, client, context)) ?? null });
      await client.sync({ signal: context.signal, timeoutMs: syncMs }).catch(() => undefined);
    });
  } catch (error) {
    context.signal.throwIfAborted();
    // A guest that no longer answers is ended all the same; its journal is replayed at the next start.
    if (!isTrouble(error)) throw error;
    await workspace.update({ changes: null });
  }
  context.signal.throwIfAborted();
}

/** Everything has been brought home as it stands now. */
export async function noteBroughtHome(workspace: Workspace, client: GuestClient, context: CallContext): Promise<void> {
  const changes = await countChanges(workspace, client, context);
  if (changes !== undefined) await workspace.update({ brought_digest: changes.digest });
}

/** Of a stopped workspace, by its record; undefined where that is not known. */
export function unsavedWork({ changes, brought_digest: brought }: WorkspaceRecord): UnsavedWork | undefined {
  if (changes === null) return undefined;
  const { files, additions, deletions, digest } = changes;
  return digest === brought ? { files: 0, additions: 0, deletions: 0 } : { files, additions, deletions };
}

/** Of any workspace: one that runs is asked. */
export async function findUnsaved(workspace: Workspace, context: CallContext): Promise<UnsavedWork | undefined> {
  const { guest, record } = workspace;
  if (guest === undefined) return unsavedWork(record);
  const counted = guest.use(() => countChanges(workspace, guest.client, context, longestLookMs));
  // One that is paused or silent cannot tell.
  const changes = (await counted.catch(() => undefined)) ?? null;
  return unsavedWork({ ...record, changes });
}
