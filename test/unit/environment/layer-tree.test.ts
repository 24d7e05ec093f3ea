// Layers merged in memory: whiteouts, opaque folders, hard links, links in paths, hostile names.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LayerTree } from '../../../src/environment/layer-tree.ts';
import type { TarEntry } from '../../../src/environment/tar-header.ts';

function entry(name: string, more: Partial<TarEntry> = {}): TarEntry {
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

function merge(...layers: TarEntry[][]): string[] {
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

  it('agrees with a naive model of files, folders, hard links and whiteouts', () => {
    const name = fc.constantFrom('a', 'b', 'a/a', 'a/b', 'b/a', 'b/b', 'a/a/a', 'a/b/a');
    const step = fc.oneof(
      name.map((path) => ({ kind: 'file' as const, path })),
      name.map((path) => ({ kind: 'folder' as const, path })),
      name.map((path) => ({ kind: 'hide' as const, path })),
      fc.constantFrom('', 'a', 'b', 'a/a').map((path) => ({ kind: 'opaque' as const, path })),
      fc.tuple(name, name).map(([path, to]) => ({ kind: 'link' as const, path, to })),
    );
    let refused = 0;
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 4 }), (layers) => {
        const look = (): string[] => merge(...layers.map((steps) => steps.map(entryOf)));
        const expected = modelOf(layers);
        if (expected === undefined) {
          refused++;
          expect(look).toThrowError(expect.objectContaining({ code: 'image_invalid' }));
        } else {
          const lines = [...expected].sort(([a], [b]) => byParts(a, b)).map(([path, { layer }]) => `${path}@${layer}`);
          expect(look()).toEqual(lines);
        }
      }),
      { numRuns: 3000 },
    );
    // Both kinds of outcome are really met.
    expect(refused).toBeGreaterThan(100);
    expect(refused).toBeLessThan(2500);
  });
});

type Step =
  | { readonly kind: 'file' | 'folder' | 'hide' | 'opaque'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

function entryOf(step: Step): TarEntry {
  const { kind, path } = step;
  if (kind === 'folder') return entry(`${path}/`);
  if (kind === 'file') return entry(path);
  if (kind === 'link') return entry(path, { type: 'link', linkname: step.to });
  if (kind === 'opaque') return entry(path === '' ? '.wh..wh..opq' : `${path}/.wh..wh..opq`);
  return entry(path.replace(/[^/]+$/, '.wh.$&'));
}

interface ModelNode {
  readonly isFolder: boolean;
  /** Layer that its content is from; -1 for a folder that none names */
  readonly layer: number;
}

/** What lies at each path, in a flat map: slow and plain. Undefined when a link has no file to name. */
function modelOf(layers: readonly (readonly Step[])[]): Map<string, ModelNode> | undefined {
  const paths = new Map<string, ModelNode>();
  const removeBelow = (path: string): void => {
    for (const each of [...paths.keys()]) if (path === '' || each.startsWith(`${path}/`)) paths.delete(each);
  };
  for (const [layer, steps] of layers.entries()) {
    const aside = new Map<string, ModelNode>();
    for (const { kind, path } of steps) {
      if (kind !== 'hide' && kind !== 'opaque') continue;
      removeBelow(path);
      const known = paths.get(path);
      if (known !== undefined && !known.isFolder) aside.set(path, known);
      if (kind === 'hide') paths.delete(path);
      // What has an opaque mark in it is a folder.
      else if (known?.isFolder === false) paths.set(path, { isFolder: true, layer: -1 });
    }
    for (const step of steps) {
      const { kind, path } = step;
      if (kind === 'hide' || kind === 'opaque') continue;
      const parts = path.split('/').slice(0, -1);
      parts.forEach((_, index) => {
        const parent = parts.slice(0, index + 1).join('/');
        if (paths.get(parent)?.isFolder !== true) paths.set(parent, { isFolder: true, layer: -1 });
      });
      const target = kind === 'link' ? (paths.get(step.to) ?? aside.get(step.to)) : undefined;
      if (kind === 'link' && (target === undefined || target.isFolder)) return undefined;
      if (kind !== 'folder') removeBelow(path);
      paths.set(path, target ?? { isFolder: kind === 'folder', layer });
    }
  }
  return paths;
}

function byParts(a: string, b: string): number {
  return a.replaceAll('/', '\u0001') < b.replaceAll('/', '\u0001') ? -1 : 1;
}
