// Trees of the lab: those of few entries and those of very many are made in different ways, and hold the same.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { GitLab, splitRecords } from '../../../src/changes/git-lab.ts';
import { gitMode, importTrees } from '../../../src/changes/import-trees.ts';
import { FakeGuestFiles, type FakeTree, file, folder, link } from '../../support/fake-guest-files.ts';

const context = { signal: new AbortController().signal };
const work = mkdtempSync(join(tmpdir(), 'import-trees-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const oddNames = [
  '"quoted"',
  'tab\tand\nline',
  'back\\slash',
  '\xff\xfe',
  ':colon',
  ' blank ',
  '-dash',
  'M 100644',
  '*',
];

function treeWith(count: number, text: string): FakeTree {
  const tree: FakeTree = new Map([['d', folder]]);
  for (const name of oddNames) tree.set(`d/${name}`, file(`${name} ${text}`, 0o755));
  tree.set('d/link', link(`to ${text}`));
  for (let number = 0; number < count; number++) tree.set(`d/f${number}`, file(`${number % 7} ${text}`));
  return tree;
}

/** What `git ls-tree -rz` says of a tree. */
function listed(tree: FakeTree): string[] {
  const lines: string[] = [];
  for (const [key, { type, mode, content }] of tree) {
    if (type === 'directory') continue;
    const id = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
    lines.push(`${gitMode({ type, mode, size: content.length })} blob ${id}\t${key}`);
  }
  return lines.sort();
}

it.each([
  ['few', 100, 200],
  ['very many', 2500, 3000],
  ['very many where there were few', 5, 2500],
  ['few where there were very many', 2500, 5],
])('hold all of %s', async (_, before, after) => {
  const trees = { before: treeWith(before, 'old'), after: treeWith(after, 'new') };
  await using lab = await GitLab.create(work, context);
  const changes = new FakeGuestFiles(trees.before, trees.after).changes({ scope: 'workspace', hasContent: true });
  await importTrees(lab, changes, { sides: 'both', maxContentBytes: 1e9, isWanted: () => true });
  for (const side of ['before', 'after'] as const) {
    const records = splitRecords(await lab.runForBytes(['ls-tree', '-r', '-z', `refs/lab/${side}`]));
    expect(records.map((record) => record.toString('latin1')).sort()).toEqual(listed(trees[side]));
  }
});

it('are empty where nothing was, beside very many', async () => {
  await using lab = await GitLab.create(work, context);
  const changes = new FakeGuestFiles(new Map(), treeWith(2500, 'new')).changes({
    scope: 'workspace',
    hasContent: true,
  });
  await importTrees(lab, changes, { sides: 'both', maxContentBytes: 1e9, isWanted: () => true });
  expect(await lab.runForBytes(['ls-tree', '-r', 'refs/lab/before'])).toHaveLength(0);
});
