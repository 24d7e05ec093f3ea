// What of a workspace was not brought home: counted when it stops, so that whoever clears up knows what would be lost.
import type { GuestClient } from '../../agent/guest-client.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import { countTakenBack } from '../../changes/apply-base.ts';
import { collectDiff } from '../../changes/diff.ts';
import { countLines } from '../../changes/diff-types.ts';
import type { ChangeCounts, WorkspaceRecord } from '../../contract/records.ts';
import type { UnsavedWork } from '../../contract/workspaces.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { appliedKeys } from './applied-record.ts';
import type { Workspace } from './workspace.ts';

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
    const request = { workFolder: workspace.files.scratch, isStatOnly: true };
    const files = createGuestFiles(client);
    await using diff = await collectDiff(files, request, { signal: limited });
    const { entries, digest } = diff;
    // What was brought home and taken back since stands in no diff, and is not home either.
    const changed = new Set(entries.flatMap(({ path, old_path: old }) => [path, old]));
    const applied = await appliedKeys(workspace.files.folder);
    const unlisted = applied.filter((key) => !changed.has(Buffer.from(key, 'latin1').toString('utf8')));
    const back = await countTakenBack(files, unlisted, { signal: limited });
    return { files: entries.length + back, ...countLines(entries), digest };
  } catch {
    // Not known is an answer: nothing is thrown away for it.
    return undefined;
  }
}

/**
 * For a guest that is about to be stopped: what should end well is asked to, what changed is written down, and what it
 * has written is on its disk. One that nobody wants to stop any more, or that is left to the next daemon, runs on.
 */
export async function settleForStop(workspace: Workspace, client: GuestClient, context: CallContext): Promise<void> {
  await workspace.tenants.quiesce(context.signal);
  await workspace.update({ changes: (await countChanges(workspace, client, context)) ?? null });
  // A guest that no longer answers is ended all the same; its journal is replayed at the next start.
  await client.sync({ signal: context.signal, timeoutMs: 20_000 }).catch(() => undefined);
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
  const changes = (await countChanges(workspace, guest.client, context, longestLookMs)) ?? null;
  return unsavedWork({ ...record, changes });
}
