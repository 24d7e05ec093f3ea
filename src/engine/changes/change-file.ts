// Changes with their contents in one file of ours, because both sides of a comparison can be larger than memory.
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Change, ChangeSide } from '../../agent/file-types.ts';
import { mostPathBytes, mostPaths, tooManyPaths } from '../../changes/listed-changes.ts';
import { isDiskFull, PyroError } from '../../shared/errors.ts';

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

export class ChangeFile {
  readonly changes = new Map<string, StoredChange>();
  readonly #path: string;
  #offset = 0;
  #pathBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads all changes to their end. Throws `disk_full`, and what their reading throws. */
  async fill(changes: AsyncIterable<Change>): Promise<void> {
    const sink = createWriteStream(this.#path, { mode: 0o600, flags: 'wx' });
    try {
      await pipeline(this.#contentOf(changes), sink);
    } catch (error) {
      throw isDiskFull(error) ? diskFullIn(dirname(this.#path), error) : error;
    }
  }

  async *#contentOf(changes: AsyncIterable<Change>): AsyncGenerator<Buffer> {
    for await (const change of changes) {
      this.#pathBytes += change.path.length;
      if (this.changes.size >= mostPaths || this.#pathBytes > mostPathBytes) throw tooManyPaths();
      const before = yield* this.#sideOf(change.before, change.contentBefore);
      const after = yield* this.#sideOf(change.after, change.contentAfter);
      this.changes.set(change.path.toString('latin1'), { path: change.path, before, after, folded: change.folded });
    }
  }

  async *#sideOf(
    side: ChangeSide | undefined,
    content: () => AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer, StoredSide | undefined> {
    if (side === undefined) return undefined;
    const offset = this.#offset;
    for await (const chunk of content()) {
      this.#offset += chunk.length;
      yield chunk;
    }
    return { side, offset };
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

function diskFullIn(folder: string, cause: unknown): PyroError {
  return new PyroError('disk_full', `no room left in ${folder}, where pyro compares states`, {
    hint: 'nothing was changed; free some space on the disk of that folder, or give a path to compare less',
    cause,
  });
}
