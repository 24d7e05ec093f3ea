// An apply that is killed at any point, and whose undoing is killed at any point, leaves all of it or nothing.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { planApply } from '../../../src/changes/apply-plan.ts';
import { recoverApply } from '../../../src/changes/apply-undo.ts';
import { writeSteps } from '../../../src/changes/apply-write.ts';
import { GitLab } from '../../../src/changes/git-lab.ts';
import { afterRef, beforeRef, importTrees } from '../../../src/changes/import-trees.ts';
import { FakeGuestFiles, file, link, put, remove, treeOf } from '../../support/fake-guest-files.ts';
import { describeFolder, describeTree, writeTree } from '../../support/host-tree.ts';

/** How many more changes to files below the root are made; the one behind them, and all after it, never come back */
const life = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY, root: 'none', onDeath: (): void => undefined }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const mortal =
    <A extends unknown[], R>(run: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const isHere = args.some((arg) => (Buffer.isBuffer(arg) ? arg.toString() : String(arg)).startsWith(life.root));
      if (isHere && life.left-- <= 0) {
        life.onDeath();
        await new Promise(() => undefined);
      }
      return await run(...args);
    };
  const [rm, rmdir] = [mortal(real.rm), mortal(real.rmdir)];
  return {
    ...real,
    rename: mortal(real.rename),
    link: mortal(real.link),
    mkdir: mortal(real.mkdir),
    symlink: mortal(real.symlink),
    open: mortal(real.open),
    rmdir,
    rm: async (path: string, options?: { recursive?: boolean; force?: boolean }) => {
      // A folder goes piece by piece.
      if (options?.recursive !== true) return await rm(path, options);
      for (const name of await real.readdir(path).catch(() => [])) await rm(join(path, name), options);
      return await rmdir(path).catch(() => undefined);
    },
  };
});

let work: string;
let home: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'apply-'));
  home = join(work, 'home');
});
afterEach(() => {
  life.root = 'none';
  rmSync(work, { recursive: true, force: true });
});

const seed = treeOf({
  'a.txt': file('one\n'),
  'gone/x': file('x\n'),
  swap: file('a file\n'),
  'folder/in': file('in\n'),
  link: link('a.txt'),
});
const now = new Map(seed);
put(now, 'a.txt', file('two\n'));
remove(now, 'gone');
remove(now, 'swap');
put(now, 'swap/inner', file('now a folder\n'));
remove(now, 'folder');
put(now, 'folder', file('now a file\n'));
put(now, 'link', link('swap'));
put(now, 'new/deep/f', file('new\n'));

/** True when it came to its end. */
async function live(left: number, run: () => Promise<void>): Promise<boolean> {
  const death = Promise.withResolvers<boolean>();
  Object.assign(life, { left, root: home, onDeath: () => death.resolve(false) });
  const hasEnded = await Promise.race([death.promise, run().then(() => true)]);
  life.root = 'none';
  // Whoever has begun is no more.
  for (const name of readdirSync(home).filter((each) => each.startsWith('.pyro-apply.')))
    writeFileSync(join(home, name, 'owner.json'), JSON.stringify({ pid: 4_194_304, start_ticks: 1 }));
  return hasEnded;
}

it('is all or nothing', { timeout: 240_000 }, async () => {
  const context = { signal: new AbortController().signal };
  const places = { root: home, notes: join(work, 'notes') };
  await using lab = await GitLab.create(join(work, 'lab'), context);
  const changes = new FakeGuestFiles(seed, now).changes({ scope: 'workspace', hasContent: true });
  await importTrees(lab, changes, { sides: 'both', maxContentBytes: 1e9, isWanted: () => true });
  const raw = await lab.compare([
    'diff-tree',
    '-r',
    '--no-renames',
    '-z',
    '--raw',
    '--numstat',
    '--no-abbrev',
    beforeRef,
    afterRef,
  ]);
  const [before, after] = [describeTree(seed), describeTree(now)];
  const ends = new Set<string>();
  const begin = async (left: number): Promise<boolean> => {
    rmSync(home, { recursive: true, force: true });
    writeTree(home, seed);
    const { steps } = await planApply(home, raw, new Map(), context.signal);
    return await live(left, () => writeSteps(lab, places, steps, context.signal));
  };
  for (let killed = 0, hasEnded = false; !hasEnded; killed++) {
    // Every seventh point of the undoing, beginning with another one each time.
    for (let again = killed % 7, isUndone = false; !isUndone; again += 7) {
      hasEnded = await begin(killed);
      isUndone = await live(again, () => recoverApply(places));
      await recoverApply(places);
      const end = describeFolder(home);
      expect([before, after], `killed after ${killed}, its undoing after ${again}`).toContainEqual(end);
      ends.add(JSON.stringify(end));
      expect(readdirSync(home).filter((name) => name.startsWith('.pyro'))).toEqual([]);
    }
  }
  expect(ends.size).toBe(2);
});
