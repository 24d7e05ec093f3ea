// Sync push: what a host path would put into a guest, with hashes to compare, and a tar stream of a chosen part.

import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PyroError } from '../shared/errors.ts';
import { kibibyte } from '../shared/units.ts';
import { tryCommand } from '../system/command.ts';
import { lastWords } from '../system/last-words.ts';
import { makeTemporaryFolder } from '../system/temporary-folders.ts';
import { checkArchive, readArchive } from './archive.ts';
import { checkTar, startTar } from './image-file.ts';
import { ItemCollector } from './item-collector.ts';
import { digestOf, readFailure, readStart } from './project-key.ts';
import { type LeftOut, type SeedItem, type SeedRequest, type SeedSummary, stampOf } from './project-types.ts';
import { readSeed, readWhole } from './seed.ts';

/** One path as the guest compares it; same shape as the agent's tree items. */
export interface SyncItem {
  readonly path: Buffer;
  readonly type: SeedItem['type'];
  readonly mode: number;
  readonly size: number;
  /** Lower-case hexadecimal sha256 of a file's data or a link's target; empty for a folder */
  readonly sha256: string;
}

/** Items that are made when they are asked for: a monorepo has hundreds of thousands. */
export interface SyncItems extends Iterable<SyncItem> {
  readonly length: number;
  at(index: number): SyncItem | undefined;
}

export interface SyncSource extends AsyncDisposable {
  /** `file` for a single file that is not an archive: its one item has the file's own name */
  readonly mode: SeedSummary['mode'] | 'file';
  readonly items: SyncItems;
  readonly leftOut: LeftOut;
  /** Tar stream of the chosen items, with `hasTop` of the folder's own mode, and nothing else. It fails with `seed_changing` when one is not as it was hashed. */
  pack(indexes: readonly number[], signal: AbortSignal, hasTop?: boolean): Readable;
}

interface Hashing {
  readonly signal: AbortSignal;
  readonly onHashed: (bytes: number) => void;
  readonly name: string | undefined;
}

const digestBytes = 32;
/** Files of this size and larger are read as a stream, `bytes` */
const largestAtOnce = 256 * kibibyte;
/** Other work of this process goes on after so many */
const itemsAtOnce = 20;
const archiveName = /\.(tar|tar\.gz|tgz|tar\.zst|tar\.xz|txz)$/i;

export interface SyncWish extends SeedRequest {
  /** True for everything of a folder, also what Git ignores, and for an archive as the file that it is */
  readonly isWhole?: boolean;
  /** Name that a single file gets; its own unless given */
  readonly name?: string;
}

/** Reads and hashes what would go in. An archive, told by its name, is unpacked beside; dispose the source afterwards. */
export async function openSyncSource(
  request: SyncWish,
  signal: AbortSignal,
  onHashed: (bytes: number) => void = () => undefined,
): Promise<SyncSource> {
  const { isWhole = false, name } = request;
  const hashing = { signal, onHashed, name };
  const seed = isWhole ? await readWhole(request.path, signal) : await readSeed(request, signal);
  const [only] = [...seed.items.values()];
  if (seed.mode !== 'tar_archive' || only === undefined) {
    return await makeSource(seed.mode, seed.root, [...seed.items.values()], seed.leftOut, hashing);
  }
  if (isWhole || !archiveName.test(request.path))
    return await makeSource('file', seed.root, [only], seed.leftOut, hashing);
  const folder = await makeTemporaryFolder('sync');
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await unpack(only.absolute.toString('utf8'), folder, signal);
    const collector = new ItemCollector(folder, signal);
    await collector.addTree('', 'stamp', async () => false);
    const items = [...collector.items.values()];
    return await makeSource('tar_archive', folder, items, collector.leftOut, hashing, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

async function makeSource(
  mode: SyncSource['mode'],
  root: string,
  items: readonly SeedItem[],
  leftOut: LeftOut,
  { signal, onHashed, name }: Hashing,
  end: () => Promise<void> = async () => undefined,
): Promise<SyncSource> {
  const digests = Buffer.alloc(items.length * digestBytes);
  const room = Buffer.alloc(largestAtOnce);
  for (const [index, item] of items.entries()) {
    // Small files are read at once: waiting for each would take many times as long.
    if (index % itemsAtOnce === 0) await nextTurn();
    signal.throwIfAborted();
    (await hashOf(item, room, signal))?.copy(digests, index * digestBytes);
    onHashed(item.size);
  }
  const at = (index: number): SyncItem | undefined => {
    const item = items[index];
    if (item === undefined) return undefined;
    const { type, mode: permissions, size } = item;
    const from = index * digestBytes;
    const sha256 = type === 'directory' ? '' : digests.toString('hex', from, from + digestBytes);
    return { path: name === undefined ? item.path : Buffer.from(name), type, mode: permissions, size, sha256 };
  };
  const all = function* (): Generator<SyncItem> {
    for (let index = 0; index < items.length; index++) {
      const item = at(index);
      if (item !== undefined) yield item;
    }
  };
  const pack = (indexes: readonly number[], packSignal: AbortSignal, hasTop = false): Readable => {
    const chosen = [...indexes].sort((a, b) => a - b).flatMap((index) => items[index] ?? []);
    return Readable.from(packItems({ root, chosen, hasTop, name }, packSignal), { objectMode: false });
  };
  const views: SyncItems = { length: items.length, at, [Symbol.iterator]: all };
  return { mode, items: views, leftOut, pack, [Symbol.asyncDispose]: end };
}

interface Chosen {
  readonly root: string;
  readonly chosen: readonly SeedItem[];
  readonly hasTop: boolean;
  readonly name: string | undefined;
}

async function* packItems({ root, chosen, hasTop, name }: Chosen, signal: AbortSignal): AsyncGenerator<Buffer> {
  const paths = function* (): Generator<Buffer> {
    if (hasTop) yield Buffer.from('.');
    for (const { path } of chosen) yield path;
  };
  const tar = await startTar([{ folder: root, paths: paths() }], signal, { isSparse: true, name });
  // A reader that leaves early ends tar by its broken pipe; then nobody asks how it ended.
  tar.done.catch(() => undefined);
  for await (const chunk of tar.stdout) yield chunk;
  checkTar(await tar.done);
  for (const item of chosen) {
    const now = await lstat(item.absolute).catch(() => undefined);
    const isSame =
      now !== undefined &&
      stampOf(item) ===
        stampOf({
          ...item,
          size: now.isDirectory() ? 0 : now.size,
          mtimeMs: now.mtimeMs,
          ctimeMs: now.ctimeMs,
          inode: now.ino,
        });
    if (isSame || item.type === 'directory') continue;
    throw new PyroError('seed_changing', `${JSON.stringify(item.path.toString('utf8'))} changed while it was read`, {
      hint: 'call again when nothing is writing to it',
    });
  }
}

/** sha256 of a file's data or a link's target; undefined for a folder. */
async function hashOf(item: SeedItem, room: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
  if (item.type === 'directory') return undefined;
  try {
    if (item.type === 'symlink') return digestOfBytes(readlinkSync(item.absolute, { encoding: 'buffer' }));
    // What a file says of its size may be wrong: one that fills the room is read as a stream.
    const count = item.size < room.length ? readStart(item.absolute, room) : room.length;
    return count < room.length ? digestOfBytes(room.subarray(0, count)) : await digestOf(item, signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw readFailure(item, cause);
  }
}

function digestOfBytes(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** GNU tar puts links in place last, so that no entry is written through one. */
async function unpack(path: string, folder: string, signal: AbortSignal): Promise<void> {
  await checkArchive(path, signal);
  const args = ['--extract', '--no-same-owner', '--preserve-permissions', '-C', folder, '-f', '-'];
  const env = { LC_ALL: 'C', TAR_OPTIONS: undefined };
  const { exitCode, stderr } = await readArchive(path, signal, (input) =>
    tryCommand('tar', args, { input, signal, env }),
  );
  if (exitCode !== 0)
    throw new PyroError('seed_invalid', `${path} does not unpack: ${lastWords(stderr, { isFirst: true })}`, {
      hint: `look with: tar -tvf ${path}`,
    });
}
