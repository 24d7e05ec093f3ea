// Newer files of the host brought into a workspace: only differences travel, and all of a call or nothing.
import { Readable } from 'node:stream';
import type { TreeItem } from '../agent/file-types.ts';
import { createGuestFiles } from '../agent/guest-files.ts';
import { encodeTarHeader, tarEnd, tarPadding } from '../changes/tar-write.ts';
import type { Listing, SeedItem } from '../project/project-types.ts';
import { contentOf, digestOf, listForSync } from '../project/sync.ts';
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
  const listing = await listForSync(source, signal);
  call.onProgress({ phase: 'sync', message: `comparing ${listing.items.length} entries` });
  const items: TreeItem[] = [];
  for (const item of listing.items) {
    const { path, type, mode, size } = item;
    items.push({ path, type, mode, size, sha256: await digestOf(listing, item, signal) });
  }
  return await workspace.use(call, async ({ guest }) => {
    const files = createGuestFiles(guest.client);
    const { different, extra } = await files.compare({ destination, items }, { signal, timeoutMs: 600_000 });
    const written = different.flatMap((index) => listing.items[index] ?? []);
    const deleted = request.isDelete ? [...extra] : [];
    if (!request.isDryRun && written.length + deleted.length > 0) {
      const tar = Readable.from(pack(listing, written), { objectMode: false });
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
        mode: listing.mode,
        source_path: source,
        destination,
        entry_count: listing.items.length,
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

async function* pack(listing: Listing, items: readonly SeedItem[]): AsyncGenerator<Buffer> {
  const mtimeSeconds = Math.floor(Date.now() / 1000);
  for (const item of items) {
    const { path, type, mode } = item;
    if (type === 'symlink') {
      const target: Buffer[] = [];
      for await (const part of contentOf(listing.root, item)) target.push(part);
      yield encodeTarHeader({ path, type, mode, size: 0, linkTarget: Buffer.concat(target), mtimeSeconds });
      continue;
    }
    const size = type === 'file' ? item.size : 0;
    yield encodeTarHeader({ path, type, mode, size, mtimeSeconds });
    yield* contentOf(listing.root, item);
    yield tarPadding(size);
  }
  yield tarEnd;
}
