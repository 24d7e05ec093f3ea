// Entries of layers for tests of the merged tree, and what several layers of them make.
import { LayerTree } from '../../src/environment/layer-tree.ts';
import type { TarEntry } from '../../src/system/tar-header.ts';

export function entry(name: string, more: Partial<TarEntry> = {}): TarEntry {
  const type = name.endsWith('/') ? 'directory' : 'file';
  const base = {
    type,
    size: 0,
    mode: 0o644,
    mtime: 0,
    linkname: '',
    uid: 0,
    gid: 0,
    devmajor: 0,
    devminor: 0,
    xattrs: [],
  } as const;
  return { name, ...base, ...more };
}

export function merge(...layers: TarEntry[][]): string[] {
  const tree = new LayerTree();
  layers.forEach((layer, index) => {
    tree.apply(index, layer);
  });
  return [...tree.walk()].map(({ path, inode }) => `${path}@${inode.layer}`);
}
