// Changes since a snapshot, put together from what the snapshot and the present each changed of the seed.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Change, ChangeSide, ChangesRequest, GuestFiles } from '../../agent/file-types.ts';
import { findIgnoredFolders } from '../../changes/ignored-folders.ts';
import { mostPathBytes, mostPaths, tooManyPaths } from '../../changes/listed-changes.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isNoRoom, messageOf, PyroError } from '../../shared/errors.ts';
import { inspectLayer } from '../files/inspect.ts';
import type { Workspace } from '../workspace/workspace.ts';

const whole: ChangesRequest = { scope: 'workspace', hasContent: true, excludedNames: ['.git'] };

/** A side with its content in a file of ours. */
interface StoredSide {
  readonly side: ChangeSide;
  readonly offset: number;
}

interface StoredChange {
  readonly path: Buffer;
  readonly before: StoredSide | undefined;
  readonly after: StoredSide | undefined;
  readonly folded: Change['folded'];
}

export interface ChangesSince extends AsyncDisposable {
  readonly changes: () => AsyncIterable<Change>;
}

/**
 * A path that only one of the two touched stands as in the seed on the other side, which the one that touched it
 * tells; so no third reading is needed.
 */
export async function changesSince(
  workspace: Workspace,
  layer: string,
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
  const { scratch } = workspace.files;
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(scratch, 'compare-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const earlier = new ChangeFile(join(folder, 'earlier'));
  let folded: readonly Buffer[] = [];
  await inspectLayer(workspace, layer, context, async (files) => {
    const place = { excludedNames: ['.git'], ...(narrowed.below === undefined ? {} : { below: narrowed.below }) };
    if (!hasIgnored) folded = await findIgnoredFolders(folder, [present, files], place, context);
    await earlier.fill(files.changes({ ...request, leftOut: folded }, context));
  });
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

class ChangeFile {
  readonly changes = new Map<string, StoredChange>();
  readonly #path: string;
  #offset = 0;
  #pathBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async fill(changes: AsyncIterable<Change>): Promise<void> {
    const sink = createWriteStream(this.#path, { mode: 0o600, flags: 'wx' });
    let failure: unknown;
    sink.on('error', (error) => {
      failure = error;
    });
    const checkSink = (): void => {
      if (failure !== undefined) throw storeFailure(failure, dirname(this.#path));
    };
    const store = async (
      side: ChangeSide | undefined,
      content: () => AsyncIterable<Buffer>,
    ): Promise<StoredSide | undefined> => {
      if (side === undefined) return undefined;
      const offset = this.#offset;
      for await (const chunk of content()) {
        this.#offset += chunk.length;
        checkSink();
        if (!sink.write(chunk)) await once(sink, 'drain').catch(ignoreHere);
      }
      return { side, offset };
    };
    try {
      for await (const change of changes) {
        this.#pathBytes += change.path.length;
        if (this.changes.size >= mostPaths || this.#pathBytes > mostPathBytes) throw tooManyPaths();
        const before = await store(change.before, change.contentBefore);
        const after = await store(change.after, change.contentAfter);
        this.changes.set(change.path.toString('latin1'), { path: change.path, before, after, folded: change.folded });
      }
    } finally {
      const closed = sink.closed ? undefined : once(sink, 'close').catch(ignoreHere);
      sink.end();
      await closed;
    }
    checkSink();
  }

  async *read(stored: StoredSide | undefined): AsyncGenerator<Buffer> {
    if (stored === undefined || stored.side.size === 0 || stored.side.withheld === true) return;
    const file = await open(this.#path, 'r');
    try {
      for (let at = 0; at < stored.side.size; ) {
        const length = Math.min(262_144, stored.side.size - at);
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, stored.offset + at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
}

/** The stream tells its failure to whoever waits for it, and it is kept by who listens for it. */
function ignoreHere(): void {}

function storeFailure(cause: unknown, folder: string): PyroError {
  if (!isNoRoom(cause)) {
    return new PyroError('internal', `changes could not be kept: ${messageOf(cause)}`, { cause });
  }
  return new PyroError('disk_full', `no room left in ${folder}, where states are compared`, {
    hint: 'nothing was changed; free some space on the disk of that folder, or give a path to compare less',
    cause,
  });
}
