// Changes since a snapshot, computed from what the snapshot and the present each changed in the seed.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Change, ChangesRequest, GuestFiles } from '../../agent/file-types.ts';
import { findIgnoredFolders } from '../../changes/ignored-folders.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { ChangeFile } from './change-file.ts';

const whole: ChangesRequest = { scope: 'workspace', hasContent: true, excludedNames: ['.git'] };

export interface ChangesSince extends AsyncDisposable {
  readonly changes: () => AsyncIterable<Change>;
}

/**
 * A path that only one of the two touched stands as in the seed on the other side, which the one that touched it
 * tells; so no third reading is needed.
 */
export async function changesSince(
  workFolder: string,
  past: GuestFiles,
  present: GuestFiles,
  {
    hasIgnored,
    ...narrowed
  }: Pick<ChangesRequest, 'below' | 'largestContent'> & {
    /** True when folders that the project's rules leave out, and that the seed did not have, are wanted too */
    readonly hasIgnored: boolean;
  },
  context: CallContext,
): Promise<ChangesSince> {
  const request = { ...whole, ...narrowed };
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(workFolder, 'compare-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const earlier = new ChangeFile(join(folder, 'earlier'));
  let folded: readonly Buffer[] = [];
  const place = { excludedNames: ['.git'], ...(narrowed.below === undefined ? {} : { below: narrowed.below }) };
  if (!hasIgnored) folded = await findIgnoredFolders(folder, [present, past], place, context);
  await earlier.fill(past.changes({ ...request, leftOut: folded }, context));
  const later = new ChangeFile(join(folder, 'later'));
  await later.fill(present.changes({ ...request, folded }, context));
  const kept = undo.move();
  return { changes: () => combine(earlier, later), [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function* combine(earlier: ChangeFile, later: ChangeFile): AsyncGenerator<Change> {
  const keys = [...new Set([...earlier.changes.keys(), ...later.changes.keys()])].sort();
  for (const key of keys) {
    const then = earlier.changes.get(key);
    const now = later.changes.get(key);
    const before = then === undefined ? ([later, now?.before] as const) : ([earlier, then.after] as const);
    const after = now === undefined ? ([earlier, then?.before] as const) : ([later, now.after] as const);
    const path = now?.path ?? then?.path;
    if (path === undefined) continue;
    yield {
      path,
      before: before[1]?.side,
      after: after[1]?.side,
      folded: now?.folded,
      contentBefore: () => before[0].read(before[1]),
      contentAfter: () => after[0].read(after[1]),
    };
  }
}
