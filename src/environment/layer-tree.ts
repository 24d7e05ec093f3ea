// The merged tree of an image's layers, in memory only: no path of an image ever becomes a path of the host.
import type { Header } from 'tar-stream';
import { PyroError } from '../shared/errors.ts';

/** A file, folder, link or device; several names may share one. */
export interface Inode {
  readonly header: Header;
  /** Place of its data: layer and number of the entry in it */
  readonly layer: number;
  readonly entry: number;
}

interface TreeNode {
  inode: Inode;
  readonly children: Map<string, TreeNode> | undefined;
}

const mostEntries = 2_000_000;
const mostLinks = 40;
const longestName = 255;
const longestPath = 4096;
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';

export class LayerTree {
  readonly #root: TreeNode = folder(implicitFolder());
  #count = 0;

  /** Applies one layer: first what it hides of the layers below, then its entries in their order. */
  apply(layer: number, headers: readonly Header[]): void {
    this.#count += headers.length;
    if (this.#count > mostEntries) throw invalid(layer, 'the image', `has more than ${mostEntries} entries`);
    for (const header of headers) this.#hide(layer, header);
    headers.forEach((header, entry) => {
      this.#add(layer, header, entry);
    });
  }

  /** All names in order, parents before children. */
  *walk(): Generator<{ path: string; inode: Inode }> {
    yield* walkFrom(this.#root, '');
  }

  #hide(layer: number, header: Header): void {
    const parts = split(layer, header.name);
    const name = parts.pop();
    if (name === undefined || !name.startsWith(whiteout)) return;
    const parent = this.#find(parts);
    if (name === opaque) parent?.children?.clear();
    else parent?.children?.delete(name.slice(whiteout.length));
  }

  #add(layer: number, header: Header, entry: number): void {
    const parts = split(layer, header.name);
    const name = parts.pop();
    if (name === undefined) {
      if (header.type === 'directory') this.#root.inode = { header, layer, entry };
      return;
    }
    if (name.startsWith(whiteout)) return;
    const siblings = this.#makeFolders(parts, layer, header.name);
    if (header.type === 'link') {
      const target = this.#find(split(layer, header.linkname ?? ''));
      if (target === undefined || target.children !== undefined) {
        throw invalid(layer, header.name, `is a hard link to ${JSON.stringify(header.linkname)}, which is not there`);
      }
      siblings.set(name, { inode: target.inode, children: undefined });
      return;
    }
    const inode = { header, layer, entry };
    const known = siblings.get(name);
    if (header.type === 'directory') {
      if (known?.children !== undefined) known.inode = inode;
      else siblings.set(name, folder(inode));
      return;
    }
    siblings.set(name, { inode, children: undefined });
  }

  /** Children of a folder, made where the layer does not name it itself. Symbolic links are followed inside the tree. */
  #makeFolders(parts: readonly string[], layer: number, name: string): Map<string, TreeNode> {
    let steps = 0;
    const stack: TreeNode[] = [this.#root];
    const todo = [...parts];
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const here = stack.at(-1)?.children;
      if (here === undefined) break;
      let next = here.get(part);
      if (next?.inode.header.type === 'symlink') {
        if (++steps > mostLinks) throw invalid(layer, name, 'lies behind too many symbolic links');
        const target = next.inode.header.linkname ?? '';
        if (target.startsWith('/')) stack.length = 1;
        todo.unshift(...target.split('/'));
        continue;
      }
      if (next?.children === undefined) {
        next = folder(implicitFolder());
        here.set(part, next);
      }
      stack.push(next);
    }
    return stack.at(-1)?.children ?? new Map();
  }

  #find(parts: readonly string[]): TreeNode | undefined {
    const stack: TreeNode[] = [this.#root];
    const todo = [...parts];
    let steps = 0;
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const next = stack.at(-1)?.children?.get(part);
      if (next === undefined) return undefined;
      if (next.inode.header.type === 'symlink' && todo.length > 0) {
        if (++steps > mostLinks) return undefined;
        const target = next.inode.header.linkname ?? '';
        if (target.startsWith('/')) stack.length = 1;
        todo.unshift(...target.split('/'));
        continue;
      }
      stack.push(next);
    }
    return stack.at(-1);
  }
}

function* walkFrom(node: TreeNode, prefix: string): Generator<{ path: string; inode: Inode }> {
  for (const [name, child] of [...(node.children ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    yield { path, inode: child.inode };
    if (child.children !== undefined) yield* walkFrom(child, path);
  }
}

/** Parts of an entry's name. Leading slashes are dropped; `..` has no place in an image. */
function split(layer: number, name: string): string[] {
  if (Buffer.byteLength(name) > longestPath || name.includes('\0'))
    throw invalid(layer, name.slice(0, 80), 'has a name that is too long or holds a zero byte');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  for (const part of parts) {
    if (part === '..') throw invalid(layer, name, 'leads out of the image');
    if (Buffer.byteLength(part) > longestName)
      throw invalid(layer, name.slice(0, 80), `has a component longer than ${longestName} bytes`);
  }
  return parts;
}

function folder(inode: Inode): TreeNode {
  return { inode, children: new Map() };
}

function implicitFolder(): Inode {
  return {
    header: {
      name: '',
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: new Date(0),
      size: 0,
      linkname: '',
      uname: '',
      gname: '',
      devmajor: 0,
      devminor: 0,
    },
    layer: -1,
    entry: -1,
  };
}

function invalid(layer: number, name: string, why: string): PyroError {
  return new PyroError('image_invalid', `layer ${layer + 1}: ${JSON.stringify(name)} ${why}`, {
    hint: 'the image is damaged or hostile; nothing of it was used',
  });
}
