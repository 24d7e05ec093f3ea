// Files of the host into a guest: read, compared and sent outside the daemon.
import { Readable } from 'node:stream';
import type { SyncPushOutput } from '../../contract/changes.ts';
import type { LeftOutCounts } from '../../project/project-types.ts';
import { openSyncSource } from '../../project/sync.ts';
import { createMeter } from '../../shared/progress.ts';
import { formatCount } from '../../shared/units.ts';
import { guestFilesOf, type Job, type JobTools } from '../jobs/job.ts';

export interface SyncJobInput {
  /** Path of the host; that it may be read was decided */
  readonly source: string;
  /** Absolute folder in the guest */
  readonly destination: string;
  readonly isWhole: boolean;
  readonly name: string | undefined;
  readonly hasTop: boolean;
  readonly deletes: boolean;
  readonly isDryRun: boolean;
}

export type SyncJobOutput = SyncPushOutput['workspace_sync'] & { readonly left_out: LeftOutCounts };

const shownChanges = 100;
/** Longest silence of the guest while it compares and unpacks, `ms` */
const silenceMs = 600_000;

export const syncJob: Job<SyncJobInput, SyncJobOutput> = { name: 'sync', run: sync };

async function sync(input: SyncJobInput, { guests, signal, onProgress }: JobTools): Promise<SyncJobOutput> {
  const { source, destination, isWhole, name, hasTop, isDryRun } = input;
  const reading = createMeter(onProgress, { phase: 'sync', message: 'reading the source' });
  const wanted = { path: source, includes: [], isWhole, ...(name === undefined ? {} : { name }) };
  await using read = await openSyncSource(wanted, signal, reading);
  const { items, mode } = read;
  onProgress({ phase: 'sync', message: `comparing ${formatCount(items.length, 'entry', 'entries')}` });
  const files = guestFilesOf({ guests });
  const { different, extra } = await files.compare({ destination, items }, { signal, timeoutMs: silenceMs });
  const deleted = input.deletes ? [...extra] : [];
  let bytes = 0;
  for (const index of different) {
    const item = items.at(index);
    if (item?.type === 'file') bytes += item.size;
  }
  if (!isDryRun && (different.length + deleted.length > 0 || hasTop)) {
    const tell = createMeter(onProgress, { phase: 'sync', message: 'sending', totalBytes: bytes });
    const tar = metered(read.pack(different, signal, hasTop), tell);
    const place = {
      destination,
      deletedPaths: deleted,
      keepsKinds: isWhole,
      ...(name === undefined ? {} : { file: name }),
    };
    await files.unpack(place, tar, { signal, timeoutMs: silenceMs });
  }
  const shown = [
    ...different
      .slice(0, shownChanges)
      .map((index) => ({ path: items.at(index)?.path.toString('utf8') ?? '', status: 'written' })),
    ...deleted.slice(0, shownChanges).map((path) => ({ path: path.toString('utf8'), status: 'deleted' })),
  ];
  return {
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
    left_out: read.leftOut,
  };
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
