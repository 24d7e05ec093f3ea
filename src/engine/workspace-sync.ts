// Newer files of the host brought into a workspace: only differences travel, and all of a call or nothing.
import { createGuestFiles } from '../agent/guest-files.ts';
import { openSyncSource } from '../project/sync.ts';
import type { SyncRequest, SyncResult } from './change-types.ts';
import { recordEvent } from './events.ts';
import { permitHostPath } from './host-paths.ts';
import type { Workspace } from './workspace.ts';
import { guestPath } from './workspace-exec.ts';
import type { WorkspaceCall } from './workspace-types.ts';

const shownChanges = 100;

export async function pushFiles(workspace: Workspace, request: SyncRequest, call: WorkspaceCall): Promise<SyncResult> {
  const { signal } = call;
  const source = await permitHostPath(request.sourcePath, call.hostPaths);
  const destination = guestPath(request.destination);
  call.onProgress({ phase: 'sync', message: 'reading the source' });
  await using read = await openSyncSource({ path: source, includes: [] }, signal);
  const { items, mode } = read;
  call.onProgress({ phase: 'sync', message: `comparing ${items.length} entries` });
  return await workspace.use(call, async ({ guest }) => {
    const files = createGuestFiles(guest.client);
    const { different, extra } = await files.compare({ destination, items }, { signal, timeoutMs: 600_000 });
    const written = different.flatMap((index) => items[index] ?? []);
    const deleted = request.isDelete ? [...extra] : [];
    if (!request.isDryRun && written.length + deleted.length > 0) {
      const tar = read.pack(different, signal);
      await files.unpack({ destination, deletedPaths: deleted }, tar, { signal, timeoutMs: 600_000 });
      await recordEvent(workspace.files.events, 'sync', `${written.length} written, ${deleted.length} deleted`);
    }
    const changes = [
      ...written.map(({ path }) => ({ path: path.toString('utf8'), status: 'written' })),
      ...deleted.map((path) => ({ path: path.toString('utf8'), status: 'deleted' })),
    ];
    return {
      workspace_id: workspace.record.id,
      workspace_sync: {
        mode,
        source_path: source,
        destination,
        entry_count: items.length,
        written_count: written.length,
        deleted_count: deleted.length,
        bytes_written: written.reduce((sum, { type, size }) => sum + (type === 'file' ? size : 0), 0),
        dry_run: request.isDryRun,
        changes: changes.slice(0, shownChanges),
        changes_truncated: changes.length > shownChanges,
      },
    };
  });
}
