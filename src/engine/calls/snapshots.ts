// Snapshots of a workspace as operations call them.

import type {
  SnapshotCreateInput,
  SnapshotCreateOutput,
  SnapshotDeleteInput,
  SnapshotDeleteOutput,
  SnapshotListInput,
  SnapshotListOutput,
  SnapshotView,
} from '../../contract/snapshots.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { dropSnapshot, removeUnneeded, takeSnapshot } from '../workspace/snapshots.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { noteEvent, refuseInRecord } from '../workspace/workspace-secrets.ts';

export async function createSnapshot(
  workspace: Workspace,
  { snapshot_name: name }: SnapshotCreateInput,
  context: CallContext,
): Promise<SnapshotCreateOutput> {
  refuseInRecord('the name of the snapshot', [name], workspace.secrets);
  const snapshot = await workspace.exclusively(context, async () => {
    await takeSnapshot(workspace, workspace.guest, name, context);
    await noteEvent(workspace, 'snapshot', name);
    // Looked at before anyone else may delete it.
    return viewsOf(workspace).find((each) => each.snapshot_name === name);
  });
  await workspace.touch();
  if (snapshot === undefined) throw new Error('the snapshot that was taken is not in the record');
  return { workspace_id: workspace.record.id, snapshot, execution_mode: 'guest' };
}

export function listSnapshots(workspace: Workspace, { workspace_id }: SnapshotListInput): SnapshotListOutput {
  const snapshots = viewsOf(workspace);
  return { workspace_id, count: snapshots.length, snapshots };
}

function viewsOf({ record }: Workspace): SnapshotView[] {
  const common = { workspace_id: record.id };
  return [
    {
      ...common,
      snapshot_name: 'baseline',
      kind: 'baseline',
      created_at: record.created_at,
      changed_bytes: 0,
      deletable: false,
    },
    ...record.snapshots.map(({ name, created_at, changed_bytes }) => ({
      ...common,
      snapshot_name: name,
      kind: 'named' as const,
      created_at,
      changed_bytes,
      deletable: true,
    })),
  ];
}

export async function deleteSnapshot(
  workspace: Workspace,
  { workspace_id, snapshot_name: name }: SnapshotDeleteInput,
  context: CallContext,
): Promise<SnapshotDeleteOutput> {
  await workspace.exclusively(context, async () => {
    await workspace.update(dropSnapshot(workspace.record, name));
    await removeUnneeded(workspace);
  });
  return { workspace_id, snapshot_name: name, deleted: true };
}
