// What an apply tells of itself: lines against what stands here, merges only where they can be made, and what is left alone.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countTakenBack } from '../../../src/changes/apply-base.ts';
import { type ApplyRequest, applyHome } from '../../../src/changes/apply-home.ts';
import { applyRequest, guestWithSeed, numberedLines as lines } from '../../support/apply-folder.ts';
import {
  type FakeGuestFiles,
  type FakeTree,
  file,
  folder,
  link,
  put,
  remove,
  treeOf,
} from '../../support/fake-guest-files.ts';
import { folderForEach } from '../../support/own-folder.ts';

let work: string;
let home: string;
folderForEach('apply-', (folder) => {
  work = folder;
  home = join(work, 'home');
});

const context = { signal: new AbortController().signal };

const guestWith = (change: (tree: FakeTree) => void): FakeGuestFiles => {
  const seed = treeOf({
    'a.txt': file(lines(40)),
    'b.bin': file(Buffer.from([0, 1, 2])),
    '.gitignore': file('*.log\n'),
  });
  return guestWithSeed(work, seed, (tree) => {
    tree.set('.git', folder);
    change(tree);
  });
};

async function apply(guest: FakeGuestFiles, request: Partial<ApplyRequest> = {}) {
  return await applyHome(guest, applyRequest(work, request), context);
}

describe('lines', () => {
  it('are counted against what stands here', async () => {
    const guest = guestWith((tree) => put(tree, 'a.txt', file(`${lines(40)}one\n`)));
    const first = await apply(guest);
    expect(first).toMatchObject({ additions: 1, deletions: 0 });
    put(guest.current, 'a.txt', file(`${lines(40)}one\ntwo\nthree\n`));
    put(guest.current, 'new', file('x\ny\n'));
    const check = await apply(guest, { applied: first.applied, isCheck: true });
    expect(check).toMatchObject({ additions: 4, deletions: 0 });
    const second = await apply(guest, { applied: first.applied });
    expect(second).toMatchObject({ additions: 4, deletions: 0 });
    // Taken back: one file whole, and three lines of the other.
    remove(guest.current, 'new');
    put(guest.current, 'a.txt', file(lines(40)));
    expect(await apply(guest, { applied: second.applied })).toMatchObject({ additions: 0, deletions: 5 });
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe(lines(40));
  });

  it('are counted of what was merged, and of a file too large to be kept', async () => {
    const long = 'x'.repeat(99);
    const large = Array.from({ length: 15_000 }, (_, index) => `${long}${index}\n`).join('');
    const guest = guestWith((tree) => {
      put(tree, 'a.txt', file(lines(40).replace('line 5\n', 'five\n')));
      put(tree, 'large', file(large));
    });
    writeFileSync(join(home, 'a.txt'), `${lines(40)}mine\n`);
    const first = await apply(guest);
    expect(first).toMatchObject({ additions: 15_001, deletions: 1 });
    put(guest.current, 'large', file(`${large}more\n`));
    put(guest.current, 'a.txt', link('large'));
    rmSync(join(home, 'a.txt'));
    const path = 'large';
    expect(await apply(guest, { applied: first.applied, path })).toMatchObject({ additions: 1, deletions: 0 });
  });
});

describe('what is ignored', () => {
  it('stays as it was brought on demand, until it goes in the guest', async () => {
    const guest = guestWith((tree) => put(tree, 'out.log', file('noise\n')));
    const first = await apply(guest, { hasIgnored: true });
    put(guest.current, 'out.log', file('more noise\n'));
    const second = await apply(guest, { applied: first.applied });
    expect(second).toMatchObject({ steps: [], ignored: { files: 1 } });
    expect(readFileSync(join(home, 'out.log'), 'utf8')).toBe('noise\n');
    expect(await countTakenBack(guest, [...second.applied.keys()], context)).toBe(0);
    remove(guest.current, 'out.log');
    expect(await countTakenBack(guest, [...second.applied.keys()], context)).toBe(1);
    await apply(guest, { applied: second.applied });
    expect(existsSync(join(home, 'out.log'))).toBe(false);
  });

  it('stays also where its folder is not looked into', async () => {
    const guest = guestWith((tree) => put(tree, 'node_modules/a/index.js', file('noise\n')));
    put(guest.current, '.gitignore', file('node_modules/\n'));
    const { applied } = await apply(guest, { hasIgnored: true });
    expect(existsSync(join(home, 'node_modules/a/index.js'))).toBe(true);
    const again = await apply(guest, { applied, longestPlain: 1 });
    expect(again).toMatchObject({ steps: [], ignored: { files: 1 } });
    expect(existsSync(join(home, 'node_modules/a/index.js'))).toBe(true);
  });
});

describe('a merge is proposed', () => {
  it.each<[string, (tree: FakeTree) => void, RegExp]>([
    ['where it can be made', (tree) => put(tree, 'b.bin', file(Buffer.from([0, 1, 2]))), /^merge with --3way/],
    [
      'for all but what cannot be merged',
      (tree) => put(tree, 'b.bin', file(Buffer.from([0, 9]))),
      /^b\.bin cannot .*--3way/,
    ],
    ['not where nothing can', (tree) => put(tree, 'a.txt', link('b.bin')), /^(?!.*3way)/],
  ])('%s', async (_name, change, hint) => {
    const guest = guestWith((tree) => {
      put(tree, 'a.txt', file(lines(40).replace('line 5\n', 'five\n')));
      change(tree);
    });
    writeFileSync(join(home, 'a.txt'), lines(40).replace('line 5\n', '5\n'));
    writeFileSync(join(home, 'b.bin'), Buffer.from([0, 7]));
    await expect(apply(guest)).rejects.toMatchObject({ code: 'apply_conflict', hint: expect.stringMatching(hint) });
    // It is kept to: what the message leaves is merged.
    if (String(hint).startsWith('/^merge')) expect((await apply(guest, { isThreeWay: true })).marked).toHaveLength(1);
  });
});
