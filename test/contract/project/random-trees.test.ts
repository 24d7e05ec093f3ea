// Random dirty checkouts: whatever was edited, staged, moved or left lying about, git answers alike on both sides.
import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeTree, expectSameAnswers, git, Scratch } from '../../support/project.ts';

const names = ['a', 'b c', 'd\n', "'q", '\\n', 'é', '-x', '*'];
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      path,
      text: fc.constantFrom('', 'x', 'x\n', 'y\n', 'a\r\nb', '\0\x01'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('link' as const),
      path,
      text: fc.constantFrom('..', '/proc/none', 'a', 'b c'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path, text: fc.constant('') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('mode' as const), path, text: fc.constantFrom('755', '600', '644') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('add' as const), path, text: fc.constant('') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('intend' as const), path, text: fc.constant('') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('commit' as const), path, text: fc.constantFrom('-m one', '-a -m all') }),
  },
);

function take(folder: string, { do: what, path: name, text }: { do: string; path: string; text: string }): void {
  const full = join(folder, name);
  // A step must not leave the tree through a link that an earlier one has made.
  if (hasLinkAbove(folder, name)) return;
  switch (what) {
    case 'write':
    case 'link':
      rmSync(full, { recursive: true, force: true });
      mkdirSync(join(full, '..'), { recursive: true });
      if (what === 'link') symlinkSync(text, full);
      else writeFileSync(full, text);
      return;
    case 'remove':
      rmSync(full, { recursive: true, force: true });
      return;
    case 'mode':
      if (lstatSync(full).isFile()) chmodSync(full, Number.parseInt(text, 8));
      return;
    case 'commit':
      git(folder, 'commit', '-q', ...text.split(' '));
      return;
    default:
      git(folder, '--literal-pathspecs', 'add', ...(what === 'intend' ? ['-N'] : []), '--', name);
  }
}

/** True when a folder on the way to the path is a link. */
function hasLinkAbove(folder: string, name: string): boolean {
  const parts = name.split('/').slice(0, -1);
  return parts.some((_, index) =>
    lstatSync(join(folder, ...parts.slice(0, index + 1)), { throwIfNoEntry: false })?.isSymbolicLink(),
  );
}

it('makes an image in which git answers as on the host', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      // A store of its own: the same tree made twice shares one image, with the times of the first.
      using scratch = new Scratch();
      const folder = scratch.repository();
      for (const each of steps) {
        try {
          take(folder, each);
        } catch {
          // A step that does not fit the tree (no such path, nothing to commit, a link on the way) is no step.
        }
      }
      const { tree } = await scratch.unpacked(folder);
      expectSameAnswers(folder, tree);
      // Git does not know empty folders, so they stay behind.
      const files = (root: string) => [...describeTree(root)].filter(([, what]) => !what.startsWith('directory'));
      expect(files(tree)).toEqual(files(folder));
    }),
    { numRuns: 12 },
  );
});
