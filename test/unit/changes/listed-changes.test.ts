// How much of what changed is looked into: limits for one file, and for all of them together.
import { expect, it } from 'vitest';
import { type ContentLimits, type ListedChange, largestWithin } from '../../../src/changes/listed-changes.ts';

function added(key: string, size: number): ListedChange {
  const after = { type: 'file', mode: 0o644, size } as const;
  return { key, isNew: true, isLeaf: true, before: undefined, after };
}

const changes = [added('a', 10), added('b', 40), added('c', 40), added('d', 500), added('e', 9000)];

it.each<[ContentLimits, number]>([
  [{ largest: 1000 }, 1000],
  [{ largest: 1000, most: 590 }, 1000],
  [{ largest: 1000, most: 589 }, 499],
  [{ largest: 1000, most: 60 }, 39],
  [{ largest: 1000, most: 5 }, 9],
  [{ largest: 1000, most: 0 }, 9],
])('within %o, files up to %i bytes are looked into', (limits, largest) => {
  expect(largestWithin(changes, new Set(), limits)).toBe(largest);
});

it('takes what is ignored for nothing, and both sides of a change for something', () => {
  const [first, second] = changes;
  if (first === undefined || second === undefined) throw new Error('no changes');
  const both = [{ ...second, before: { type: 'file', mode: 0o644, size: 30 } as const }];
  expect(largestWithin([...both, ...changes], new Set(['a', 'b', 'c', 'd']), { largest: 1000, most: 1 })).toBe(1000);
  expect(largestWithin(both, new Set(), { largest: 1000, most: 69 })).toBe(39);
});
