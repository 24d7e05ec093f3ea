// Layers merged in memory: whiteouts, opaque folders, hard links, links in paths, hostile names.
import type { Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { LayerTree } from '../../../src/environment/layer-tree.ts';

function entry(name: string, more: Partial<Header> = {}): Header {
  const type = name.endsWith('/') ? 'directory' : 'file';
  const base = {
    type,
    size: 0,
    mode: 0o644,
    mtime: new Date(0),
    linkname: '',
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    devmajor: 0,
    devminor: 0,
  } as const;
  return { name, ...base, ...more };
}

function merge(...layers: Header[][]): string[] {
  const tree = new LayerTree();
  layers.forEach((layer, index) => {
    tree.apply(index, layer);
  });
  return [...tree.walk()].map(({ path, inode }) => `${path}@${inode.layer}`);
}

describe('LayerTree', () => {
  it('hides a file of a lower layer by a whiteout, but not one of its own layer', () => {
    expect(merge([entry('a'), entry('b')], [entry('.wh.a'), entry('b'), entry('.wh.b')])).toEqual(['b@1']);
  });

  it('empties a lower folder that is opaque and keeps the new content', () => {
    expect(merge([entry('d/'), entry('d/old')], [entry('d/'), entry('d/new'), entry('d/.wh..wh..opq')])).toEqual([
      'd@1',
      'd/new@1',
    ]);
  });

  it('keeps the children when a folder only gets new metadata', () => {
    expect(merge([entry('d/'), entry('d/x')], [entry('d/', { mode: 0o700 })])).toEqual(['d@1', 'd/x@0']);
  });

  it('replaces a folder by a file with all that was in it', () => {
    expect(merge([entry('d/'), entry('d/x')], [entry('d')])).toEqual(['d@1']);
  });

  it('keeps a hard link whose first name is gone', () => {
    const link = entry('b', { type: 'link', linkname: 'a' });
    expect(merge([entry('a'), link], [entry('.wh.a')])).toEqual(['b@0']);
  });

  it('puts an entry below a symbolic link where the link leads, inside the image', () => {
    const link = entry('lib', { type: 'symlink', linkname: '/../usr/lib' });
    expect(merge([entry('usr/'), entry('usr/lib/'), link], [entry('lib/x')])).toEqual([
      'lib@0',
      'usr@0',
      'usr/lib@0',
      'usr/lib/x@1',
    ]);
  });

  it('drops leading slashes', () => {
    expect(merge([entry('/etc/passwd')])).toEqual(['etc@-1', 'etc/passwd@0']);
  });

  it.each([
    ['..', '../escape'],
    ['.. in the middle', 'a/../../escape'],
    ['a component that is too long', `a/${'x'.repeat(256)}`],
    ['a path that is too long', 'a/'.repeat(2100)],
    ['a hard link to nothing', entry('l', { type: 'link', linkname: 'missing' })],
  ])('refuses %s', (_name, name) => {
    const header = typeof name === 'string' ? entry(name, { type: 'file' }) : name;
    expect(() => merge([header])).toThrowError(expect.objectContaining({ code: 'image_invalid' }));
  });

  it('ends on symbolic links that lead to each other', () => {
    const a = entry('a', { type: 'symlink', linkname: 'b' });
    const b = entry('b', { type: 'symlink', linkname: 'a' });
    expect(() => merge([a, b, entry('a/x')])).toThrowError(expect.objectContaining({ code: 'image_invalid' }));
  });
});
