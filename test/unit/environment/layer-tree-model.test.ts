// Merged layers against a naive model of them, for random ones.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TarEntry } from '../../../src/system/tar-header.ts';
import { entry, merge } from '../../support/layer-entries.ts';

it('merged layers agree with a naive model of files, folders, hard links and whiteouts', () => {
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
