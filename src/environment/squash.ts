// Layers to one read-only image: read once for the tree, once for the data, straight into sqfstar.
import { Readable } from 'node:stream';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { gatherPieces } from '../shared/gather-pieces.ts';
import { hintCall } from '../shared/hint-words.ts';
import { mebibyte } from '../shared/units.ts';
import { runCommand } from '../system/command.ts';
import { lastWords } from '../system/last-words.ts';
import type { TarEntry } from '../system/tar-header.ts';
import type { TarItem } from '../system/tar-read.ts';
import { padding, tarEnd, writeHeader } from '../system/tar-write.ts';
import { readLayer } from './layer-reader.ts';
import { type Inode, LayerTree } from './layer-tree.ts';

export interface SquashPlan {
  /** Layer files, lowest first */
  readonly layers: readonly string[];
  /** Digests of the unpacked layers; undefined for an archive of our own making */
  readonly diffIds: readonly string[] | undefined;
  /** File to write; whoever asks removes it after a failure */
  readonly image: string;
  readonly signal: AbortSignal;
  /** Called with the number of each layer, from 1, as it is first read */
  readonly onLayer?: (number: number) => void;
  /** Called with the bytes of file content that are packed, and all there are */
  readonly onPacked?: (done: number, total: number) => void;
}

/** Memory that the entries of all layers may take; a real image has a small part of it */
const mostRemembered = 640 * mebibyte;
/** Of one entry without its texts, about */
const entryBytes = 250;

/** What is left of the memory that the entries of all layers may take, `bytes` */
export interface EntryBudget {
  left: number;
}

/** The entries of one layer. A small archive can unpack to any number of them, and to texts of any length. */
export async function gatherEntries(
  items: AsyncIterable<Pick<TarItem, 'entry'>>,
  number: number,
  room: EntryBudget,
): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for await (const { entry } of items) {
    const { name, linkname, xattrs } = entry;
    room.left -= xattrs.reduce((sum, [key, value]) => sum + key.length + value.length, entryBytes);
    room.left -= name.length + linkname.length;
    if (room.left < 0) {
      throw new PyroError('image_invalid', `layer ${number}: names and attributes exceed what an image may have`, {
        hint: 'the image is damaged or hostile, and nothing of it was used; pull another tag or ask its maintainer',
      });
    }
    entries.push(entry);
  }
  return entries;
}

/** Writes the squashfs image. Throws `image_invalid`, `digest_mismatch`, `disk_full` or `tool_missing`. */
export async function squashLayers(plan: SquashPlan): Promise<void> {
  const tree = new LayerTree();
  const room = { left: mostRemembered };
  for (const [index, path] of plan.layers.entries()) {
    plan.onLayer?.(index + 1);
    let digest = '';
    const onDigest = (value: string): void => {
      digest = value;
    };
    const items = readLayer({ path, number: index + 1, signal: plan.signal, onDigest });
    const entries = await gatherEntries(items, index + 1, room);
    if (plan.diffIds !== undefined && plan.diffIds[index] !== digest) {
      throw new PyroError('digest_mismatch', `layer ${index + 1} unpacks to content other than the image declares`, {
        hint: 'pull the image again; if it keeps failing, the image in the registry is damaged',
        details: { expected: plan.diffIds[index] ?? null, actual: digest },
      });
    }
    tree.apply(index, entries);
  }
  await pack(mergedArchive(tree, plan), tree, plan);
}

/** Time of the newest entry, seconds since 1970. */
function newestIn(tree: LayerTree): number {
  let newest = tree.root.meta.mtime;
  for (const { inode } of tree.walk()) newest = Math.max(newest, inode.meta.mtime);
  return newest;
}

/** All that the tree holds as one archive: folders, data layer by layer, other entries, hard links. */
async function* mergedArchive(tree: LayerTree, plan: SquashPlan): AsyncGenerator<Buffer> {
  const { layers, signal, onPacked } = plan;
  const names = new Map<Inode, string[]>();
  for (const { path, inode } of tree.walk()) {
    const known = names.get(inode);
    if (inode.meta.type === 'directory') yield writeHeader({ ...inode.meta, name: `${path}/` });
    else if (known === undefined) names.set(inode, [path]);
    else known.push(path);
  }
  const wanted = layers.map(() => new Map<number, TarEntry>());
  for (const [inode, [first]] of names) {
    if (inode.meta.type === 'file' && first !== undefined)
      wanted[inode.layer]?.set(inode.entry, { ...inode.meta, name: first, linkname: '' });
  }
  const total = [...names.keys()].reduce((sum, { meta }) => sum + meta.size, 0);
  let done = 0;
  onPacked?.(done, total);
  for (const [index, path] of layers.entries()) {
    let number = -1;
    if (wanted[index]?.size === 0) continue;
    for await (const { data } of readLayer({ path, number: index + 1, signal })) {
      const entry = wanted[index]?.get(++number);
      if (entry === undefined) continue;
      yield writeHeader(entry);
      for await (const piece of data()) {
        yield piece;
        done += piece.length;
        onPacked?.(done, total);
      }
      yield padding(entry.size);
    }
  }
  for (const [inode, [first]] of names) {
    if (first !== undefined && inode.meta.type !== 'file') yield writeHeader({ ...inode.meta, name: first });
  }
  for (const [inode, [first, ...others]] of names) {
    for (const name of others)
      yield writeHeader({ ...inode.meta, name, type: 'link', linkname: first ?? '', size: 0, xattrs: [] });
  }
  yield tarEnd;
}

async function pack(archive: AsyncGenerator<Buffer>, tree: LayerTree, plan: SquashPlan): Promise<void> {
  const input = Readable.from(gatherPieces(archive), { objectMode: false });
  const { mode, uid, gid, mtime } = tree.root.meta;
  // sqfstar stamps the image and, in version 4.5, its root folder with this time, or with now when that is earlier: the
  // same layers make the same bytes, whatever the caller's own SOURCE_DATE_EPOCH is, and no file's time is moved.
  const env = { SOURCE_DATE_EPOCH: `${newestIn(tree)}` };
  const options = [
    // Its search for files of equal content takes minutes where 100,000 small ones have the same size.
    '-no-duplicates',
    '-root-mode',
    mode.toString(8),
    '-root-uid',
    `${uid}`,
    '-root-gid',
    `${gid}`,
    '-root-time',
    `${mtime}`,
  ];
  try {
    const { stderr } = await runCommand('sqfstar', ['-quiet', '-no-progress', '-comp', 'lz4', ...options, plan.image], {
      input,
      env,
      signal: plan.signal,
    });
    if (!/FATAL|ERROR/.test(stderr)) return;
    throw new PyroError('tool_failed', `sqfstar refused the image: ${lastWords(stderr)}`);
  } catch (error) {
    plan.signal.throwIfAborted();
    if (isPyroError(error, 'tool_failed') && /No space left|Disk quota/i.test(error.message)) {
      throw new PyroError('disk_full', `no room left while writing ${plan.image}`, {
        hint: `free some space, for example with: ${hintCall('env.prune')}`,
        cause: error,
      });
    }
    throw error;
  } finally {
    // A reader that was ended early leaves the archive suspended; this closes the layer files.
    input.destroy();
  }
}
