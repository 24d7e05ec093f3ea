// A guest's files in memory: the tree of the seed and the tree as it stands now, behind the agent's interface.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  type Change,
  type ChangeSide,
  type ChangesRequest,
  changedMeanwhile,
  type FileEntry,
  type FileListing,
  type FileSlice,
  type FileType,
  type GuestFiles,
  type PackRequest,
  type TreeComparison,
  type UnpackRequest,
} from '../../src/agent/file-types.ts';
import { readGuestTar } from '../../src/agent/guest-tar.ts';
import { PyroError } from '../../src/shared/errors.ts';
import { padding, tarEnd, writeHeader } from '../../src/system/tar-write.ts';

export interface FakeNode {
  readonly type: FileType;
  readonly mode: number;
  /** A file's data or a link's target */
  readonly content: Buffer;
}

/** Keys are paths relative to /workspace as latin1, so that any bytes can be a name. */
export type FakeTree = Map<string, FakeNode>;

export function file(content: string | Buffer, mode = 0o644): FakeNode {
  return { type: 'file', mode, content: Buffer.from(content) };
}

export function link(target: string | Buffer): FakeNode {
  return { type: 'symlink', mode: 0o777, content: Buffer.from(target) };
}

export const folder: FakeNode = { type: 'directory', mode: 0o755, content: Buffer.alloc(0) };
export const pipe: FakeNode = { type: 'other', mode: 0o644, content: Buffer.alloc(0) };

/** A tree of these nodes and the folders above them. Names are given as text and stand for their UTF-8 bytes. */
export function treeOf(nodes: Readonly<Record<string, FakeNode>>): FakeTree {
  const tree: FakeTree = new Map();
  for (const [name, node] of Object.entries(nodes)) put(tree, Buffer.from(name).toString('latin1'), node);
  return tree;
}

export function put(tree: FakeTree, key: string, node: FakeNode): void {
  for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
    const parent = key.slice(0, slash);
    if (tree.get(parent)?.type !== 'directory') tree.set(parent, folder);
  }
  if (node.type !== 'directory') remove(tree, key);
  tree.set(key, node);
}

/** Takes away a path and what is below it. */
export function remove(tree: FakeTree, key: string): void {
  for (const other of [...tree.keys()]) if (other === key || other.startsWith(`${key}/`)) tree.delete(other);
}

export class FakeGuestFiles implements GuestFiles {
  readonly baseline: FakeTree;
  current: FakeTree;
  /** Called when a tree is about to take its place */
  onUnpack: (() => void) | undefined;
  /** Requests to `unpack`, in order */
  readonly unpacked: UnpackRequest[] = [];

  constructor(baseline: FakeTree, current: FakeTree = new Map(baseline)) {
    this.baseline = baseline;
    this.current = current;
  }

  async *changes(request: ChangesRequest): AsyncGenerator<Change> {
    if ((request.paths ?? []).length > 100_000) throw new PyroError('guest_refused', 'more than 100000 paths');
    const asked = new Set((request.paths ?? []).map((path) => path.toString('latin1')));
    const keys = new Set([...this.baseline.keys(), ...this.current.keys(), ...asked]);
    for (const key of [...keys].sort()) {
      const before = this.baseline.get(key);
      const after = this.current.get(key);
      const isChanged = !sameNode(before, after);
      if (request.isExact === true ? !asked.has(key) : !asked.has(key) && !isChanged) continue;
      if (!asked.has(key) && (isExcluded(key, request.excludedNames) || isNarrowedAway(key, request))) continue;
      if (!asked.has(key) && isOtherLeaf(key, before, after, request.leafNames)) continue;
      const fold = request.folded?.find((path) => `${key}/`.startsWith(`${path.toString('latin1')}/`));
      const folded = fold === undefined || this.baseline.has(fold.toString('latin1')) ? undefined : fold;
      if (folded !== undefined && folded.toString('latin1') !== key) continue;
      const most = request.hasContent ? request.largestContent : undefined;
      yield {
        path: Buffer.from(key, 'latin1'),
        before: sideOf(before, most),
        after: sideOf(after, most),
        folded: folded === undefined ? undefined : this.#count(key),
        contentBefore: () => pieces(isLarge(before, most) ? undefined : before),
        contentAfter: () => pieces(isLarge(after, most) ? undefined : after),
      };
    }
  }

  async pack(request: PackRequest): Promise<Readable> {
    const key = this.#key(request.path);
    const root = key === '' ? folder : this.current.get(key);
    if (root === undefined) throw new PyroError('file_missing', `${request.path} does not exist`);
    return Readable.from(packTree(this.current, key, root, request));
  }

  async unpack(request: UnpackRequest, tar: Readable): Promise<{ written: number; deleted: number }> {
    this.unpacked.push(request);
    this.onUnpack?.();
    const base = this.#key(request.destination);
    const next = new Map(this.current);
    const at = (path: Buffer): string => [base, path.toString('latin1').replace(/\/$/, '')].filter(Boolean).join('/');
    for await (const { path, type, size, sha256 } of request.expected ?? []) {
      const node = this.current.get(at(path));
      const content = node?.content ?? Buffer.alloc(0);
      const isSame =
        (node?.type ?? 'none') === type &&
        (node === undefined ||
          (content.length === size && createHash('sha256').update(content).digest('hex') === sha256));
      if (isSame) continue;
      throw new PyroError('guest_refused', `${path} has changed meanwhile`, {
        details: { guest_code: changedMeanwhile },
      });
    }
    for (const path of request.deletedPaths) remove(next, at(path));
    let written = 0;
    for await (const entry of readGuestTar(tar)) {
      const content = entry.type === 'symlink' ? entry.linkTarget : await gather(entry.content());
      if (entry.type === 'link') throw new PyroError('internal', 'the fake unpacks no hard links');
      put(next, at(entry.path), { type: entry.type, mode: entry.mode, content });
      written++;
    }
    this.current = next;
    return { written, deleted: request.deletedPaths.length };
  }

  async list(request: { path: string; depth: number; limit: number; cursor?: string }): Promise<FileListing> {
    const key = this.#key(request.path);
    const start = key === '' ? '' : `${key}/`;
    const keys = [...this.current.keys()]
      .filter((other) => other.startsWith(start) && other.slice(start.length).split('/').length <= request.depth)
      .sort();
    const first = Number(request.cursor ?? 0);
    const entries = keys.slice(first, first + request.limit).map((other) => entryOf(other, this.current.get(other)));
    const next = first + entries.length;
    return { entries, nextCursor: next < keys.length ? String(next) : undefined };
  }

  async read(request: { path: string; length: number; offset?: number }): Promise<FileSlice> {
    const node = this.current.get(this.#key(request.path));
    if (node?.type !== 'file') throw new PyroError('file_missing', `${request.path} does not exist`);
    const offset = request.offset ?? 0;
    const bytes = node.content.subarray(offset, offset + request.length);
    const isCut = offset + bytes.length < node.content.length;
    return { bytes, size: node.content.length, mode: node.mode, offset, firstLine: undefined, isCut };
  }

  async write(
    request: { path: string; mode?: number },
    content: Buffer,
  ): Promise<{ size: number; mode: number; wasCreated: boolean }> {
    const key = this.#key(request.path);
    const known = this.current.get(key);
    const mode = request.mode ?? known?.mode ?? 0o644;
    put(this.current, key, { type: 'file', mode, content });
    return { size: content.length, mode, wasCreated: known === undefined };
  }

  async replace(): Promise<{ size: number; replacedCount: number }> {
    throw new PyroError('internal', 'the fake does not replace');
  }

  async compare(): Promise<TreeComparison> {
    throw new PyroError('internal', 'the fake does not compare');
  }

  #count(folder: string): { files: number; bytes: number } {
    const below = [...this.current].filter(([key, { type }]) => key.startsWith(`${folder}/`) && type !== 'directory');
    return { files: below.length, bytes: below.reduce((sum, [, { content }]) => sum + content.length, 0) };
  }

  #key(path: string): string {
    return Buffer.from(path.replace(/^\/workspace\/?/, '')).toString('latin1');
  }
}

export async function gather(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function* packTree(
  tree: FakeTree,
  key: string,
  root: FakeNode,
  request: Pick<PackRequest, 'excludedNames' | 'leftOut'> = {},
): AsyncGenerator<Buffer> {
  yield* packNode(Buffer.from('.'), root);
  const start = key === '' ? '' : `${key}/`;
  for (const other of [...tree.keys()].filter((name) => name.startsWith(start)).sort()) {
    const node = tree.get(other);
    const path = other.slice(start.length);
    const isOut =
      isExcluded(path, request.excludedNames) ||
      request.leftOut?.some((each) => `${path}/`.startsWith(`${each.toString('latin1')}/`));
    if (node !== undefined && path !== '' && isOut !== true) yield* packNode(Buffer.from(path, 'latin1'), node);
  }
  yield tarEnd;
}

function* packNode(path: Buffer, { type, mode, content }: FakeNode): Generator<Buffer> {
  if (type === 'other') return;
  const size = type === 'file' ? content.length : 0;
  const linkname = type === 'symlink' ? content.toString('latin1') : '';
  const name = `${path.toString('latin1')}${type === 'directory' ? '/' : ''}`;
  yield writeHeader({ name, type, mode, size, linkname, mtime: 1 });
  if (size > 0) yield Buffer.concat([content, padding(size)]);
}

function isOtherLeaf(key: string, before?: FakeNode, after?: FakeNode, names?: readonly string[]): boolean {
  const isFolder = before?.type === 'directory' || after?.type === 'directory';
  return names !== undefined && !isFolder && !names.includes(key.slice(key.lastIndexOf('/') + 1));
}

function sideOf(node: FakeNode | undefined, most: number | undefined): ChangeSide | undefined {
  if (node === undefined) return undefined;
  const side = { type: node.type, mode: node.mode, size: node.content.length };
  return isLarge(node, most) ? { ...side, withheld: true } : side;
}

function isLarge(node: FakeNode | undefined, most: number | undefined): boolean {
  return node?.type === 'file' && most !== undefined && node.content.length > most;
}

function isNarrowedAway(key: string, { below, leftOut }: ChangesRequest): boolean {
  const isAt = (path: Buffer): boolean => `${key}/`.startsWith(`${path.toString('latin1')}/`);
  return (below !== undefined && !isAt(below)) || leftOut?.some(isAt) === true;
}

/** In small chunks, so that whoever reads meets borders in the middle of characters. */
async function* pieces(node: FakeNode | undefined): AsyncGenerator<Buffer> {
  const content = node?.content ?? Buffer.alloc(0);
  const step = content.length > 100_000 ? 65_536 : 7;
  for (let start = 0; start < content.length; start += step) yield content.subarray(start, start + step);
}

function sameNode(a: FakeNode | undefined, b: FakeNode | undefined): boolean {
  return (
    a === b || (a?.type === b?.type && a?.mode === b?.mode && a?.content.equals(b?.content ?? Buffer.alloc(1)) === true)
  );
}

function isExcluded(key: string, names: readonly string[] = []): boolean {
  return key.split('/').some((part) => names.includes(part));
}

function entryOf(key: string, node: FakeNode | undefined): FileEntry {
  return {
    path: `/workspace/${Buffer.from(key, 'latin1').toString('utf8')}`,
    type: node?.type ?? 'other',
    size: node?.type === 'file' ? node.content.length : 0,
    mode: node?.mode ?? 0,
    mtimeMs: 0,
    linkTarget: node?.type === 'symlink' ? node.content.toString('utf8') : undefined,
  };
}
