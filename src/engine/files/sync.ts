// Newer files from the host brought into a workspace: only differences are sent, all of a call or nothing.
import { Readable } from 'node:stream';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { SyncPushInput, SyncPushOutput } from '../../contract/changes.ts';
import type { LeftOutCounts } from '../../project/project-types.ts';
import { openSyncSource } from '../../project/sync.ts';
import { createMeter } from '../../shared/progress.ts';
import { formatCount } from '../../shared/units.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { recordEvent } from '../output/events.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';

const shownChanges = 100;

/** A push of a path that is permitted; the last three are those of a copy. */
export interface PushRequest extends Omit<SyncPushInput, 'workspace_id'> {
  /** True for everything in a folder, and for an archive as a plain file */
  readonly isWhole: boolean;
  /** Name in the guest of a single file; its own unless given */
  readonly name: string | undefined;
  /** True when the destination gets the mode of the folder itself */
  readonly hasTop: boolean;
}

export async function pushFiles(
  workspace: Workspace,
  input: SyncPushInput,
  call: WorkspaceCall,
): Promise<SyncPushOutput> {
  const source = await permitHostPath(input.source_path, call.hostPaths);
  const { left_out: _, ...result } = await pushFrom(
    workspace,
    { ...input, source_path: source, isWhole: false, name: undefined, hasTop: false },
    call,
  );
  return result;
}

export async function pushFrom(
  workspace: Workspace,
  request: PushRequest,
  call: WorkspaceCall,
): Promise<SyncPushOutput & { readonly left_out: LeftOutCounts }> {
  const { signal } = call;
  const { source_path: source, isWhole, name, hasTop, dry_run: isDryRun } = request;
  const destination = guestPath(request.dest);
  call.onProgress({ phase: 'sync', message: 'reading the source' });
  const reading = createMeter(call.onProgress, { phase: 'sync', message: 'reading the source' });
  const wanted = { path: source, includes: [], isWhole, ...(name === undefined ? {} : { name }) };
  await using read = await openSyncSource(wanted, signal, reading);
  const { items, mode } = read;
  call.onProgress({ phase: 'sync', message: `comparing ${formatCount(items.length, 'entry', 'entries')}` });
  return await workspace.use(call, async ({ guest }) => {
    const files = createGuestFiles(guest.client);
    const { different, extra } = await files.compare({ destination, items }, { signal, timeoutMs: 600_000 });
    const deleted = request.delete ? [...extra] : [];
    let bytes = 0;
    for (const index of different) {
      const item = items.at(index);
      if (item?.type === 'file') bytes += item.size;
    }
    if (!isDryRun && (different.length + deleted.length > 0 || hasTop)) {
      const tell = createMeter(call.onProgress, { phase: 'sync', message: 'sending', totalBytes: bytes });
      const tar = metered(read.pack(different, signal, hasTop), tell);
      const place = {
        destination,
        deletedPaths: deleted,
        keepsKinds: isWhole,
        ...(name === undefined ? {} : { file: name }),
      };
      await files.unpack(place, tar, { signal, timeoutMs: 600_000 });
      await recordEvent(workspace.files.events, 'sync', `${different.length} written, ${deleted.length} deleted`);
    }
    const shown = [
      ...different
        .slice(0, shownChanges)
        .map((index) => ({ path: items.at(index)?.path.toString('utf8') ?? '', status: 'written' })),
      ...deleted.slice(0, shownChanges).map((path) => ({ path: path.toString('utf8'), status: 'deleted' })),
    ];
    return {
      workspace_id: workspace.record.id,
      execution_mode: 'guest',
      workspace_sync: {
        mode,
        source_path: source,
        destination,
        entry_count: items.length,
        written_count: different.length,
        deleted_count: deleted.length,
        bytes_written: bytes,
        dry_run: isDryRun,
        changes: shown.slice(0, shownChanges),
        changes_truncated: different.length + deleted.length > shownChanges,
      },
      left_out: read.leftOut,
    };
  });
}

function metered(tar: Readable, tell: (bytes: number) => void): Readable {
  const chunks = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of tar) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      tell(bytes.length);
      yield bytes;
    }
  };
  return Readable.from(chunks(), { objectMode: false });
}
