// The merged tree of an image's layers, in memory only: no path of an image ever becomes a path of the host.
import { PyroError } from '../shared/errors.ts';
import { shown, type TarEntry } from '../system/tar-header.ts';

/** A file, folder, link or device; several names may share one. */
export interface Inode {
  readonly meta: Omit<TarEntry, 'name'>;
  /** Place of its data: layer and number of the entry in it; -1 for a folder that no layer names */
  readonly layer: number;
  readonly entry: number;
}

interface TreeNode {
  inode: Inode;
  readonly children: Map<string, TreeNode> | undefined;
}

/** Where a chain of folders leads: the folder, and how deep it lies. */
interface Place {
  readonly layer: number;
  readonly name: string;
  readonly canMake: boolean;
}

export const mostEntries = 2_000_000;
const mostLinks = 40;
export const longestName = 255;
export const longestPath = 4096;
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';
const ownMark = '.wh..wh.';
/** What the overlay of a guest would take for its own; in an image it is left over from the one that it was made in */
const overlayXattr = 'trusted.overlay.';
/** Folder in which AUFS keeps the files of hard links, whose names point there */
const linkFolder = '.wh..wh.plnk';

export class LayerTree {
  readonly #root: TreeNode = folder(implicitFolder());
  /** What the present layer has hidden, and what it keeps for hard links only, by their full names */
  readonly #aside = new Map<string, TreeNode>();
  #count = 0;

  /** Metadata of the root folder. */
  get root(): Inode {
    return this.#root.inode;
  }

  /** Applies one layer: first what it hides of the layers below, then its entries in their order. */
  apply(layer: number, entries: readonly TarEntry[]): void {
    this.#count += entries.length;
    if (this.#count > mostEntries) throw invalid(layer, 'the image', `has more than ${mostEntries} entries`);
    this.#aside.clear();
    for (const entry of entries) this.#hide(layer, entry);
    entries.forEach((entry, number) => {
      this.#add(layer, entry, number);
    });
  }

  /** All names in order, parents before children. */
  *walk(): Generator<{ path: string; inode: Inode }> {
    const open: { prefix: string; names: Iterator<[string, TreeNode]> }[] = [{ prefix: '', names: sorted(this.#root) }];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.names.next();
      if (next.done === true) {
        open.pop();
        continue;
      }
      const [name, node] = next.value;
      const path = `${top.prefix}${name}`;
      if (path.length > longestPath) throw invalid(node.inode.layer, path, 'is nested too deeply');
      yield { path, inode: node.inode };
      if (node.children !== undefined) open.push({ prefix: `${path}/`, names: sorted(node) });
    }
  }

  #hide(layer: number, entry: TarEntry): void {
    const parts = split(layer, entry.name);
    // What is a folder in this layer takes the place of a link below, also for entries that stand before it.
    if (entry.type === 'directory' && this.#bare(parts)?.inode.meta.type === 'symlink') this.#remove(parts);
    if (isOpaque(entry)) this.#bare(parts)?.children?.clear();
    const name = parts.pop();
    if (name === undefined) return;
    if (name === opaque) this.#empty(parts);
    else if (isWhiteout(entry)) this.#remove([...parts, name]);
    else if (name.startsWith(whiteout) && !name.startsWith(ownMark))
      this.#remove([...parts, name.slice(whiteout.length)]);
  }

  /** Only folders are opaque, so whatever else lies there below is one from this layer on. */
  #empty(parts: readonly string[]): void {
    const node = this.#bare(parts);
    node?.children?.clear();
    if (node === undefined || node.children !== undefined) return;
    this.#remove(parts);
    this.#bare(parts.slice(0, -1))?.children?.set(parts.at(-1) ?? '', folder(implicitFolder()));
  }

  #remove(parts: readonly string[]): void {
    const known = this.#bare(parts);
    if (known === undefined) return;
    this.#bare(parts.slice(0, -1))?.children?.delete(parts.at(-1) ?? '');
    // A hard link to what its own layer removes: tools write it before the mark, and it holds the content.
    if (known.children === undefined) this.#aside.set(parts.join('/'), known);
  }

  /**
   * What these names stand for themselves. A mark speaks of the tree as its layer has it: where a layer below has a link
   * on the way, there is nothing to hide, and what the link leads to is another folder.
   */
  #bare(parts: readonly string[]): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root;
    for (const part of parts) node = node?.children?.get(part);
    return node;
  }

  #add(layer: number, entry: TarEntry, number: number): void {
    const parts = split(layer, entry.name);
    if (isWhiteout(entry)) return;
    if (parts.some((part) => part.startsWith(whiteout))) {
      // Names that begin so are reserved for marks. Those of AUFS hold what hard links name.
      if (parts[0] === linkFolder && entry.type === 'file') {
        const { name: _, ...meta } = entry;
        this.#aside.set(parts.join('/'), { inode: { meta, layer, entry: number }, children: undefined });
      }
      return;
    }
    const name = parts.pop();
    if (entry.linkname.length > longestPath || entry.linkname.includes('\0'))
      throw invalid(layer, entry.name, 'is a link whose target is too long or holds a zero byte');
    const { name: _, ...told } = entry;
    const meta = { ...told, xattrs: entry.xattrs.filter(([key]) => !key.startsWith(overlayXattr)) };
    const inode = { meta, layer, entry: number };
    if (name === undefined) {
      if (entry.type !== 'directory') throw invalid(layer, entry.name, 'would replace the root folder');
      this.#root.inode = inode;
      return;
    }
    const siblings = this.#walkTo(parts, { layer, name: entry.name, canMake: true })?.children;
    if (siblings === undefined) throw invalid(layer, entry.name, 'has no parent folder');
    const known = siblings.get(name);
    if (entry.type === 'link') siblings.set(name, { inode: this.#linked(layer, entry), children: undefined });
    else if (entry.type !== 'directory') siblings.set(name, { inode, children: undefined });
    else if (known?.children === undefined) siblings.set(name, folder(inode));
    else known.inode = inode;
  }

  /** What a hard link names at this time; it outlives the removal of that name. */
  #linked(layer: number, entry: TarEntry): Inode {
    const parts = split(layer, entry.linkname);
    const aside = this.#aside.get(parts.join('/'));
    const name = parts.pop() ?? '';
    const parent = this.#walkTo(parts, { layer, name: entry.name, canMake: false });
    const target = parent?.children?.get(name) ?? aside;
    if (target === undefined)
      throw invalid(layer, entry.name, `is a hard link to ${shown(entry.linkname)}, which does not exist`);
    if (target.children !== undefined) throw invalid(layer, entry.name, 'is a hard link to a folder');
    return target.inode;
  }

  /** The folder at the end of these names; symbolic links on the way are followed inside the tree. */
  #walkTo(parts: readonly string[], { layer, name, canMake }: Place): TreeNode | undefined {
    const stack: TreeNode[] = [this.#root];
    // Reversed, so that taking the next name is cheap.
    const todo = [...parts].reverse();
    let links = 0;
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const here = stack.at(-1)?.children;
      let next = here?.get(part);
      if (next?.inode.meta.type === 'symlink') {
        if (++links > mostLinks) throw invalid(layer, name, 'is behind too many symbolic links');
        const target = next.inode.meta.linkname;
        if (target.startsWith('/')) stack.length = 1;
        todo.push(...target.split('/').reverse());
        continue;
      }
      if (next?.children === undefined) {
        if (!canMake) return undefined;
        if (part.length > longestName || stack.length > longestPath / 2)
          throw invalid(layer, name, 'is nested too deeply');
        next = folder(implicitFolder());
        here?.set(part, next);
      }
      stack.push(next);
    }
    return stack.at(-1);
  }
}

/** The mark of an overlay's own upper folder, as tools write it that pack such a folder as it is. */
function isWhiteout({ type, devmajor, devminor }: TarEntry): boolean {
  return type === 'character-device' && devmajor === 0 && devminor === 0;
}

function isOpaque({ type, xattrs }: TarEntry): boolean {
  return type === 'directory' && xattrs.some(([key, value]) => key === `${overlayXattr}opaque` && /^[yx]$/.test(value));
}

function sorted(node: TreeNode): Iterator<[string, TreeNode]> {
  return [...(node.children ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).values();
}

/** Parts of an entry's name. Leading slashes are dropped; `..` takes the part before it back, as all tools read it, and never leads out. */
function split(layer: number, name: string): string[] {
  if (name.length > longestPath || name.includes('\0'))
    throw invalid(layer, name, 'has a name that is too long or holds a zero byte');
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part.length > longestName) throw invalid(layer, name, `has a component longer than ${longestName} bytes`);
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw invalid(layer, name, 'leads out of the image');
  }
  return parts;
}

function folder(inode: Inode): TreeNode {
  return { inode, children: new Map() };
}

function implicitFolder(): Inode {
  return {
    meta: {
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: 0,
      size: 0,
      linkname: '',
      devmajor: 0,
      devminor: 0,
      xattrs: [],
    },
    layer: -1,
    entry: -1,
  };
}

function invalid(layer: number, name: string, why: string): PyroError {
  return new PyroError('image_invalid', `layer ${layer + 1}: ${shown(name)} ${why}`, {
    hint: 'the image is damaged or hostile, and nothing of it was used; pull another tag or ask its maintainer',
  });
}
