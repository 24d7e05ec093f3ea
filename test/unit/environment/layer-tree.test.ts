// Layers merged in memory: whiteouts, opaque folders, hard links, links in paths, hostile names.
import { describe, expect, it } from 'vitest';
import { LayerTree } from '../../../src/environment/layer-tree.ts';
import type { TarEntry } from '../../../src/system/tar-header.ts';
import { entry, merge } from '../../support/layer-entries.ts';

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

  const linkTo = (name: string, linkname: string): TarEntry => entry(name, { type: 'symlink', linkname });
  const below = [entry('real/'), entry('real/keep'), linkTo('link', 'real')];
  const mark = { type: 'character-device', devmajor: 0, devminor: 0 } as const;
  const kept = ['link@0', 'real@0', 'real/keep@0'];
  const folderNow = ['link@1', 'link/new@1', 'real@0', 'real/keep@0'];
  it.each([
    ['a whiteout', below, [entry('link/.wh.keep')], kept],
    ['an opaque mark', below, [entry('link/.wh..wh..opq')], ['link@-1', 'real@0', 'real/keep@0']],
    ['a mark of an overlay', below, [entry('link/keep', mark)], kept],
    [
      'an opaque mark behind a further link',
      [...below, linkTo('far', 'link')],
      [entry('far/.wh.keep')],
      ['far@0', ...kept],
    ],
    [
      'a folder in place of the link',
      below,
      [entry('link/'), entry('link/.wh..wh..opq'), entry('link/new')],
      folderNow,
    ],
    ['a folder that is named after its content', below, [entry('link/new'), entry('link/')], folderNow],
    [
      'an opaque folder that is named last',
      below,
      [entry('link/new'), entry('link/.wh..wh..opq'), entry('link/')],
      folderNow,
    ],
    ['a whiteout of the link itself', below, [entry('.wh.link')], ['real@0', 'real/keep@0']],
    [
      'a mark below a link that its own layer has',
      [entry('real/'), entry('real/keep')],
      [linkTo('link', 'real'), entry('link/.wh.keep')],
      ['link@1', 'real@0', 'real/keep@0'],
    ],
    ['a mark below a file', [entry('f')], [entry('f/.wh.x')], ['f@0']],
    ['a mark below nothing', [entry('f')], [entry('no/such/.wh.x'), entry('none/.wh..wh..opq')], ['f@0']],
  ])('follows no link for %s', (_name, lower, upper, expected) => {
    expect(merge(lower, upper)).toEqual(expected);
  });

  it.each([
    ['a device 0/0 for a whiteout', [entry('a'), entry('d/'), entry('d/x')], [entry('a', mark), entry('d', mark)], []],
    [
      'an attribute of an overlay for an opaque folder',
      [entry('d/'), entry('d/old')],
      [entry('d/new'), entry('d/', { xattrs: [['trusted.overlay.opaque', 'y']] })],
      ['d@1', 'd/new@1'],
    ],
    ['marks of the tools themselves for none', [entry('a')], [entry('.wh..wh.aufs'), entry('.wh..wh.orph/')], ['a@0']],
    ['what lies in a reserved folder for nothing', [], [entry('.wh.x/'), entry('.wh.x/y'), entry('a')], ['a@1']],
  ])('takes %s', (_name, lower, upper, expected) => {
    expect(merge(lower, upper)).toEqual(expected);
  });

  it('passes no attribute of an overlay on to the overlay of a guest', () => {
    const xattrs = ['trusted.overlay.redirect', 'trusted.overlay.metacopy', 'user.kept'].map(
      (key) => [key, 'x'] as const,
    );
    const tree = new LayerTree();
    tree.apply(0, [entry('a', { xattrs }), entry('d/', { xattrs })]);
    expect([...tree.walk()].map(({ inode }) => inode.meta.xattrs)).toEqual([
      [['user.kept', 'x']],
      [['user.kept', 'x']],
    ]);
  });

  it('links to what the same layer removes, before or behind the link, and to files that AUFS keeps', () => {
    const link = entry('b', { type: 'link', linkname: 'a' });
    expect(merge([entry('a')], [link, entry('.wh.a')])).toEqual(['b@0']);
    expect(merge([entry('a')], [entry('.wh.a'), link])).toEqual(['b@0']);
    const plnk = { type: 'link', linkname: '.wh..wh.plnk/12.34' } as const;
    expect(merge([entry('.wh..wh.plnk/'), entry('.wh..wh.plnk/12.34'), entry('a', plnk), entry('b', plnk)])).toEqual([
      'a@0',
      'b@0',
    ]);
  });

  it('takes the last of two entries of one name, and names in all their spellings for one', () => {
    expect(merge([entry('d/'), entry('./d/x'), entry('/d//x/'), entry('d/x/y')])).toEqual(['d@0', 'd/x@0', 'd/x/y@0']);
    expect(merge([entry('d/'), entry('d/x'), entry('d'), entry('d/'), entry('d/z')])).toEqual(['d@0', 'd/z@0']);
  });

  it('reads `..` inside of a name as all tools do: it takes the part before it back', () => {
    expect(merge([entry('a/../b'), entry('./usr/lib/../bin/x')])).toEqual([
      'b@0',
      'usr@-1',
      'usr/bin@-1',
      'usr/bin/x@0',
    ]);
    const link = entry('c', { type: 'link', linkname: 'none/../b' });
    expect(merge([entry('b')], [link], [entry('d/../.wh.b')])).toEqual(['c@0']);
  });

  it('takes hidden names, folders and the root away over several layers, and never what the layer itself has', () => {
    const layers = [
      ['.a', 'a', 'bar/', 'bar/x', 'foo/', 'foo/.b', 'foo/.c/', 'foo/.c/x', 'foo/d/', 'foo/d/x', 'foo/d/y', 'food'],
      ['.new', '.wh.a', 'foo/', 'foo/.e', 'foo/.wh..wh..opq', 'foo/d/', 'foo/d/y'],
      ['.wh..a', '.wh.food', 'foo/', 'foo/.b', 'foo/.wh.d', 'bar/'],
      ['.last', '.wh..wh..opq', 'food/', 'food/x', '.wh.food'],
    ].map((names) => names.map((name) => entry(name)));
    const merged = (count: number): string[] => merge(...layers.slice(0, count));
    expect(merged(2)).toEqual('.a@0 .new@1 bar@0 bar/x@0 foo@1 foo/.e@1 foo/d@1 foo/d/y@1 food@0'.split(' '));
    expect(merged(3)).toEqual('.new@1 bar@2 bar/x@0 foo@2 foo/.b@2 foo/.e@1'.split(' '));
    expect(merged(4)).toEqual('.last@3 food@3 food/x@3'.split(' '));
  });

  it('takes marks without a name for none', () => {
    const names = ['.wh.', '.wh..', '.wh...', 'd/.wh.', 'd/.wh..', 'd/.wh...'].map((name) => entry(name));
    expect(merge([entry('a'), entry('d/'), entry('d/x')], names)).toEqual(['a@0', 'd@0', 'd/x@0']);
  });

  it('empties an opaque folder of all kinds of entries, at all depths, wherever the mark stands', () => {
    const lower = [entry('d/'), entry('d/f'), linkTo('d/l', '../../etc/shadow'), entry('d/p', { type: 'fifo' })];
    const deep = [entry('d/e/'), entry('d/e/f'), linkTo('d/e/l', '/..'), entry('d/e/g/'), entry('d/e/g/x')];
    const upper = [linkTo('d/l', '..'), entry('d/e/g/y')];
    const mark = entry('d/.wh..wh..opq');
    for (const layer of [
      [mark, ...upper],
      [...upper, mark],
      [entry('d/e/.wh.g'), ...upper, mark, entry('d/')],
    ])
      expect(merge([...lower, ...deep], layer).map((line) => line.replace(/^(d|d.e|d.e.g)@.*/, '$1'))).toEqual([
        'd',
        'd/e',
        'd/e/g',
        'd/e/g/y@1',
        'd/l@1',
      ]);
    expect(merge([...lower, ...deep], [mark])).toEqual(['d@0']);
  });

  it('links to a link itself, with the metadata of what is linked and none of its own', () => {
    const hard = entry('h', { type: 'link', linkname: '/s', mode: 0o4777, uid: 1337, mtime: 9 });
    const tree = new LayerTree();
    tree.apply(0, [entry('f'), linkTo('s', '../../../f'), hard]);
    const inodes = new Map([...tree.walk()].map(({ path, inode }) => [path, inode]));
    expect(inodes.get('h')).toBe(inodes.get('s'));
    expect(inodes.get('h')?.meta).toMatchObject({ type: 'symlink', uid: 0, mtime: 0, linkname: '../../../f' });
  });

  it('makes a folder of a file that its own layer, or one above, names as one', () => {
    expect(merge([entry('f'), entry('f/a/b')])).toEqual(['f@-1', 'f/a@-1', 'f/a/b@0']);
    expect(merge([entry('f')], [entry('f/a/b'), entry('f/')])).toEqual(['f@1', 'f/a@-1', 'f/a/b@1']);
  });

  it('keeps the folders above what it removes as they were', () => {
    const tree = new LayerTree();
    tree.apply(0, [entry('d/', { mode: 0o711, mtime: 7, uid: 3 }), entry('d/x')]);
    tree.apply(1, [entry('d/.wh.x')]);
    expect([...tree.walk()].map(({ inode }) => inode.meta)).toMatchObject([{ mode: 0o711, mtime: 7, uid: 3 }]);
  });

  it('drops leading slashes', () => {
    expect(merge([entry('/etc/passwd')])).toEqual(['etc@-1', 'etc/passwd@0']);
    const linked = merge([entry('/bin/gzip'), entry('/bin/gunzip', { type: 'link', linkname: '/bin/gzip' })]);
    expect(linked).toEqual(['bin@-1', 'bin/gunzip@0', 'bin/gzip@0']);
  });

  it.each([
    ['..', '../escape'],
    ['.. in the middle', 'a/../../escape'],
    ['.. behind a slash', '/../escape'],
    ['a hard link that leads out', entry('l', { type: 'link', linkname: '../etc/shadow' })],
    ['a hard link to a folder', entry('l', { type: 'link', linkname: '/' })],
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

  it('gives the root folder the metadata that a layer names', () => {
    const tree = new LayerTree();
    tree.apply(0, [entry('./', { mode: 0o711, uid: 3 })]);
    expect(tree.root.meta).toMatchObject({ mode: 0o711, uid: 3 });
  });

  it('refuses a tree that grows too deep over symbolic links', () => {
    const deep = `${'d/'.repeat(1500)}`;
    const link = entry('s', { type: 'symlink', linkname: deep });
    const tree = new LayerTree();
    expect(() => {
      tree.apply(0, [entry(deep), link, entry(`s/${deep}x`)]);
      expect([...tree.walk()].length).toBe(0);
    }).toThrowError(expect.objectContaining({ code: 'image_invalid' }));
  });
});
