// A second apply goes on from the first one, whatever the person and the guest have made of it since.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ApplyRequest, applyHome } from '../../../src/changes/apply-home.ts';
import { applyRequest, guestWithSeed, numberedLines as lines } from '../../support/apply-folder.ts';
import {
  type FakeGuestFiles,
  type FakeNode,
  type FakeTree,
  file,
  link,
  put,
  treeOf,
} from '../../support/fake-guest-files.ts';
import { describeFolder } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

let work: string;
let home: string;
folderForEach('apply-', (folder) => {
  work = folder;
  home = join(work, 'home');
});

const seedNodes: Record<string, FakeNode> = {
  'a.txt': file(lines(40)),
  'b.bin': file(Buffer.from([0, 1, 2, 255])),
  'gone/x': file('x\n'),
};

const guestWith = (change: (tree: FakeTree) => void, seed: FakeTree = treeOf(seedNodes)): FakeGuestFiles =>
  guestWithSeed(work, seed, change);

const everything = (tree: FakeTree): void => {
  put(tree, 'a.txt', file(lines(40).replace('line 5\n', 'five\n')));
  put(tree, 'b.bin', file(Buffer.from([0, 9, 8]), 0o755));
  tree.delete('gone/x');
  put(tree, 'new/deep/file', file('odd\n'));
  put(tree, 'empty', file(''));
};

async function apply(guest: FakeGuestFiles, request: Partial<ApplyRequest> = {}) {
  return await applyHome(guest, applyRequest(work, request), { signal: new AbortController().signal });
}

describe('applyHome once more', () => {
  const rows = Array.from({ length: 40 }, () => 'same\n');

  it('puts nothing in a second time where the same lines stand again', async () => {
    const guest = guestWith((tree) => put(tree, 'a.txt', file(rows.with(20, 'same\nnew\n').join(''))));
    put(guest.baseline, 'a.txt', file(rows.join('')));
    writeFileSync(join(home, 'a.txt'), rows.with(0, 'mine\n').join(''));
    const { applied } = await apply(guest);
    put(guest.current, 'a.txt', file(rows.with(20, 'same\nnew\n').with(39, 'last\n').join('')));
    await apply(guest, { applied });
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe(
      rows.with(0, 'mine\n').with(20, 'same\nnew\n').with(39, 'last\n').join(''),
    );
  });

  it('leaves what the person has made of a file that the guest has not touched since', async () => {
    const guest = guestWith(everything);
    const { applied } = await apply(guest);
    writeFileSync(join(home, 'a.txt'), 'all my own\n');
    writeFileSync(join(home, 'b.bin'), 'all my own\n');
    put(guest.current, 'empty', file('and on\n'));
    expect((await apply(guest, { applied })).steps.map(({ path }) => String(path))).toEqual(['empty']);
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe('all my own\n');
  });

  it('merges into a new file that both went on with', async () => {
    const guest = guestWith((tree) => put(tree, 'fresh', file(lines(40))));
    const { applied } = await apply(guest);
    writeFileSync(join(home, 'fresh'), lines(40).replace('line 3\n', 'three\n'));
    put(guest.current, 'fresh', file(lines(40).replace('line 30\n', 'thirty\n')));
    await apply(guest, { applied });
    expect(readFileSync(join(home, 'fresh'), 'utf8')).toBe(
      lines(40).replace('line 3\n', 'three\n').replace('line 30\n', 'thirty\n'),
    );
  });

  it('takes back what was taken back in the guest', async () => {
    const guest = guestWith(everything);
    const before = describeFolder(home);
    const { applied } = await apply(guest);
    guest.current = new Map(guest.baseline);
    const back = await apply(guest, { applied });
    expect(describeFolder(home)).toEqual(before);
    expect(back.omitted).toEqual([]);
    expect(back.applied.size).toBe(0);
  });

  it('takes a change out from between those of the person, and says what it leaves', async () => {
    const guest = guestWith(everything);
    const { applied } = await apply(guest);
    const mine = lines(40).replace('line 30\n', 'thirty\n');
    writeFileSync(join(home, 'a.txt'), mine.replace('line 5\n', 'five\n'));
    writeFileSync(join(home, 'empty'), 'mine\n');
    guest.current = new Map(guest.baseline);
    const back = await apply(guest, { applied });
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe(mine);
    expect(readFileSync(join(home, 'empty'), 'utf8')).toBe('mine\n');
    expect(back.omitted).toEqual([{ path: 'empty', reason: expect.stringContaining('it stays') }]);
  });

  it('knows conflict marks in a file with line ends of another system', async () => {
    const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
    const changed = (word: string): string => crlf(lines(40).replace('line 5\n', `${word}\n`));
    const guest = guestWith(
      (tree) => put(tree, 'a.txt', file(changed('five'))),
      treeOf({ 'a.txt': file(crlf(lines(40))) }),
    );
    writeFileSync(join(home, 'a.txt'), changed('5'));
    const { applied } = await apply(guest, { isThreeWay: true });
    expect(await apply(guest, { applied })).toMatchObject({ steps: [], marked: [Buffer.from('a.txt')] });
    put(guest.current, 'a.txt', file(changed('V')));
    await expect(apply(guest, { isThreeWay: true, applied })).rejects.toMatchObject({
      message: expect.stringContaining('conflict markers'),
    });
  });

  it('does not merge over conflict marks, and leaves them when nothing is new', async () => {
    const guest = guestWith((tree) => put(tree, 'a.txt', file(lines(40).replace('line 5\n', 'five\n'))));
    writeFileSync(join(home, 'a.txt'), lines(40).replace('line 5\n', '5\n'));
    const { applied } = await apply(guest, { isThreeWay: true });
    const marked = readFileSync(join(home, 'a.txt'), 'utf8');
    const again = await apply(guest, { isThreeWay: true, applied });
    expect(again).toMatchObject({ steps: [], marked: [Buffer.from('a.txt')] });
    writeFileSync(join(home, 'a.txt'), lines(40).replace('line 5\n', 'settled\n'));
    expect((await apply(guest, { applied })).marked).toEqual([]);
    writeFileSync(join(home, 'a.txt'), marked);
    put(guest.current, 'a.txt', file(lines(40).replace('line 5\n', 'V\n')));
    await expect(apply(guest, { isThreeWay: true, applied })).rejects.toMatchObject({
      message: expect.stringContaining('conflict markers'),
    });
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe(marked);
  });
});

// Lines that repeat, a person and a guest that never touch the same ones, and applies in between.
it('keeps what both have done, in any order', { timeout: 120_000 }, async () => {
  const regions = 6;
  const step = fc.record({
    who: fc.constantFrom('guest', 'person', 'apply'),
    region: fc.nat(regions / 2 - 1),
    word: fc.constantFrom('', 'one', 'two', 'three'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
      rmSync(home, { recursive: true, force: true });
      rmSync(join(work, 'bases.pack'), { force: true });
      const seed = Array.from({ length: regions * 10 }, (_, index) => `line ${index % 10}\n`);
      const [theirs, ours] = [[...seed], [...seed]];
      const guest = guestWith(() => undefined, treeOf({ 'a.txt': file(seed.join('')) }));
      let applied: ApplyRequest['applied'] = new Map();
      const place = join(home, 'a.txt');
      const bring = async (): Promise<void> => {
        ({ applied } = await apply(guest, { applied }));
      };
      let brought = [...seed];
      for (const { who, region, word } of [...steps, { who: 'apply', region: 0, word: '' }]) {
        const at = region * 20 + (who === 'guest' ? 5 : 15);
        const line = word === '' ? (seed[at] ?? '') : `${seed[at]}${word}\n`;
        if (who === 'guest') {
          theirs[at] = line;
          put(guest.current, 'a.txt', file(theirs.join('')));
        } else if (who === 'person') {
          ours[at] = line;
          writeFileSync(place, ours.map((own, index) => (index % 20 === 5 ? brought[index] : own)).join(''));
        } else {
          await bring();
          brought = [...theirs];
          expect(readFileSync(place, 'utf8')).toBe(
            ours.map((own, index) => (index % 20 === 5 ? theirs[index] : own)).join(''),
          );
        }
      }
    }),
    { numRuns: 5 },
  );
});

it('proposes a merge only where one could be made', async () => {
  const guest = guestWith((tree) => put(tree, 'a.txt', link('b.bin')));
  writeFileSync(join(home, 'a.txt'), 'mine\n');
  await expect(apply(guest)).rejects.toMatchObject({ hint: expect.not.stringContaining('--3way') });
});

it('says that the disk is full, and changes nothing', async ({ skip }) => {
  mkdirSync(home);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', home]).status !== 0)
    skip('only root can make a small file system to fill');
  try {
    for (const room of [0, 4, 8, 12, 16, 24]) {
      for (const name of readdirSync(home)) rmSync(join(home, name), { recursive: true });
      const guest = guestWith((tree) => {
        everything(tree);
        for (let index = 0; index < 5; index++) put(tree, `many/${index}`, file('x'.repeat(6000)));
      });
      writeFileSync(join(home, 'fill'), 'x'.repeat(44 * 1024 - room * 1024));
      const before = describeFolder(home);
      await expect(apply(guest), String(room)).rejects.toMatchObject({ code: 'disk_full' });
      expect(describeFolder(home)).toEqual(before);
    }
  } finally {
    spawnSync('umount', [home]);
  }
});
