// Layers to one read-only image: read once for the tree, once for the data, straight into sqfstar.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header, type Pack, pack } from 'tar-stream';
import { messageOf, PyroError } from '../shared/errors.ts';
import { runCommand } from '../system/command.ts';
import { type Inode, LayerTree } from './layer-tree.ts';

/** Data of one entry; its reader either iterates or resumes it. */
type Body = AsyncIterable<unknown> & { resume: () => unknown };

/** Writes the squashfs image of these layer files, lowest first; `diffIds` are the digests of the unpacked layers. */
export async function squashLayers(
  layers: readonly string[],
  diffIds: readonly string[],
  image: string,
  signal: AbortSignal,
): Promise<void> {
  const tree = new LayerTree();
  for (const [index, path] of layers.entries()) {
    const headers: Header[] = [];
    const digest = await readLayer(path, signal, async (header, body) => {
      headers.push(header);
      body.resume();
    });
    if (diffIds[index] !== undefined && diffIds[index] !== digest) {
      throw new PyroError('digest_mismatch', `layer ${index + 1} unpacks to other content than the image promises`, {
        hint: 'pull the image again',
      });
    }
    tree.apply(index, headers);
  }
  const tar = pack();
  const running = runCommand('sqfstar', ['-quiet', '-no-progress', '-comp', 'lz4', image], {
    input: Readable.from(tar),
    signal,
  });
  running.catch(() => tar.destroy());
  try {
    await writeTree(tar, tree, layers, signal);
    tar.finalize();
  } catch (error) {
    tar.destroy();
    await running.catch(() => undefined);
    throw error;
  }
  const { stderr } = await running;
  if (/FATAL|ERROR/i.test(stderr))
    throw new PyroError('image_invalid', `sqfstar refused the image: ${stderr.trim().slice(0, 500)}`);
}

async function writeTree(tar: Pack, tree: LayerTree, layers: readonly string[], signal: AbortSignal): Promise<void> {
  const names = new Map<Inode, string[]>();
  for (const { path, inode } of tree.walk()) {
    if (inode.header.type === 'directory') await writeEntry(tar, { ...clean(inode.header), name: `${path}/`, size: 0 });
    else names.set(inode, [...(names.get(inode) ?? []), path]);
  }
  const byPlace = new Map([...names.keys()].map((inode) => [`${inode.layer}:${inode.entry}`, inode]));
  for (const [layer, path] of layers.entries()) {
    let entry = -1;
    await readLayer(path, signal, async (_header, body) => {
      entry++;
      const inode = byPlace.get(`${layer}:${entry}`);
      const name = inode === undefined ? undefined : names.get(inode)?.[0];
      if (inode === undefined || name === undefined || !hasData(inode.header)) {
        body.resume();
        return;
      }
      await copyEntry(tar, { ...clean(inode.header), type: 'file', name }, body);
    });
  }
  for (const [inode, [first]] of names) {
    if (first !== undefined && !hasData(inode.header))
      await writeEntry(tar, { ...clean(inode.header), name: first, size: 0 });
  }
  for (const [inode, [first, ...others]] of names) {
    for (const name of others)
      await writeEntry(tar, { ...clean(inode.header), name, type: 'link', linkname: first ?? '', size: 0 });
  }
}

function hasData(header: Header): boolean {
  return (
    header.type === 'file' || header.type === 'contiguous-file' || header.type === undefined || header.type === null
  );
}

/**
 * What an entry may carry over. Of the extended attributes only text survives: the tar reader decodes them as UTF-8.
 */
function clean(header: Header): Omit<Header, 'name'> {
  const { pax, name: _, ...rest } = header;
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(typeof pax === 'object' && pax !== null ? pax : {})) {
    if (key.startsWith('SCHILY.xattr.') && typeof value === 'string' && !value.includes('\ufffd')) kept[key] = value;
  }
  return Object.keys(kept).length === 0 ? rest : { ...rest, pax: kept };
}

async function copyEntry(tar: Pack, header: Partial<Header> & { name: string }, body: Body): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sink = tar.entry(header, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  for await (const chunk of body) {
    if (sink.write(chunk)) continue;
    const { promise: drained, resolve: onDrain } = Promise.withResolvers<void>();
    const go = (): void => onDrain();
    // A reader that is gone ends the pack; nobody would drain it any more.
    sink.once('drain', go).once('close', go);
    await drained;
    sink.off('drain', go).off('close', go);
  }
  sink.end(undefined);
  await promise;
}

async function writeEntry(tar: Pack, header: Partial<Header> & { name: string }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  tar.entry(header, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  await promise;
}

/** Reads a layer's entries; gives the digest of its unpacked bytes. */
async function readLayer(
  path: string,
  signal: AbortSignal,
  onEntry: (header: Header, body: Body) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256');
  const counted = new PassThrough();
  counted.on('data', (chunk: Buffer) => hash.update(chunk));
  const entries = extract();
  entries.on('entry', (header, body, next) => {
    body.on('end', next);
    onEntry(header, body).catch((error) =>
      entries.destroy(error instanceof Error ? error : new Error(messageOf(error))),
    );
  });
  const unpack = await decompressor(path);
  try {
    await pipeline([createReadStream(path), ...unpack, counted, entries], { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PyroError) throw error;
    throw new PyroError('image_invalid', `a layer does not unpack: ${messageOf(error)}`, {
      hint: 'the image is damaged; pull it again',
      cause: error,
    });
  }
  return `sha256:${hash.digest('hex')}`;
}

/** By the first bytes, since media types of layers are often wrong. */
async function decompressor(path: string) {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return [createGunzip()];
    if (buffer.readUInt32LE(0) === 0xfd2fb528) return [createZstdDecompress()];
    return [];
  } finally {
    await file.close();
  }
}
