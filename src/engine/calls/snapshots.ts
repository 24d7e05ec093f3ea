// Snapshots of a workspace as operations call them.

import type { SnapshotView } from '../../contract/workspaces-requests.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { recordEvent } from '../output/events.ts';
import { dropSnapshot, removeUnneeded, takeSnapshot } from '../workspace/snapshots.ts';
import type { Workspace } from '../workspace/workspace.ts';

export async function createSnapshot(workspace: Workspace, name: string, context: CallContext): Promise<SnapshotView> {
  await workspace.alone(async () => {
    await takeSnapshot(workspace, workspace.guest, name, context);
    await recordEvent(workspace.files.events, 'snapshot', name);
  });
  await workspace.touch();
  const view = listSnapshots(workspace).find((each) => each.snapshot_name === name);
  if (view === undefined) throw new Error('the snapshot is gone right after it was taken');
  return view;
}

export function listSnapshots({ record }: Workspace): SnapshotView[] {
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

export async function deleteSnapshot(workspace: Workspace, name: string): Promise<void> {
  await workspace.alone(async () => {
    await workspace.update(dropSnapshot(workspace.record, name));
    await removeUnneeded(workspace);
  });
}
