// Changes brought into a folder of the host: all or none, never over what was changed meanwhile, and undone when killed.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ApplyRequest, applyHome } from '../../../src/changes/apply-home.ts';
import { noteStage } from '../../../src/changes/apply-notes.ts';
import { recoverApply } from '../../../src/changes/apply-undo.ts';
import { applyRequest, guestWithSeed, numberedLines as lines } from '../../support/apply-folder.ts';
import {
  type FakeGuestFiles,
  type FakeNode,
  type FakeTree,
  file,
  link,
  put,
  remove,
  treeOf,
} from '../../support/fake-guest-files.ts';
import { describeFolder, describeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
let work: string;
let home: string;

folderForEach('apply-', (folder) => {
  work = folder;
  home = join(work, 'home');
});

const seedNodes: Record<string, FakeNode> = {
  'a.txt': file(lines(40)),
  'b.bin': file(Buffer.from([0, 1, 2, 255])),
  'run.sh': file('#!/bin/sh\n'),
  'gone/x': file('x\n'),
  'dir/keep': file('k\n'),
  swap: file('a file\n'),
  'folder/in': file('in\n'),
  link: link('a.txt'),
  turned: link('dir'),
  'crlf.txt': file('one\r\ntwo\r\n'),
};

const guestWith = (change: (tree: FakeTree) => void): FakeGuestFiles => guestWithSeed(work, treeOf(seedNodes), change);

async function apply(guest: FakeGuestFiles, request: Partial<ApplyRequest> = {}) {
  return await applyHome(guest, applyRequest(work, request), context);
}

const everything = (tree: FakeTree): void => {
  put(tree, 'a.txt', file(lines(40).replace('line 5\n', 'five\n')));
  put(tree, 'b.bin', file(Buffer.from([0, 9, 8])));
  put(tree, 'run.sh', file('#!/bin/sh\n', 0o755));
  remove(tree, 'gone');
  remove(tree, 'swap');
  put(tree, 'swap/inner', file('now a folder\n'));
  remove(tree, 'folder');
  put(tree, 'folder', file('now a file\n'));
  put(tree, 'link', link('b.bin'));
  remove(tree, 'turned');
  put(tree, 'turned/inner', file('a link has become a folder\n'));
  put(tree, 'new/deep/ü "q"\n', file('odd\n'));
  put(tree, 'empty', file(''));
  put(tree, 'crlf.txt', file('one\r\nTWO\r\n'));
};

describe('applyHome', () => {
  it('makes of the seed what stands in the guest', async () => {
    const guest = guestWith(everything);
    const result = await apply(guest);
    expect(describeFolder(home)).toEqual(describeTree(guest.current));
    expect(existsSync(join(home, 'gone'))).toBe(false);
    expect(result).toMatchObject({ already: [], merged: [], omitted: [] });
    expect(result.additions).toBeGreaterThan(3);
    expect(readdirSync(home).filter((name) => name.startsWith('.pyro'))).toEqual([]);
    // Once more: there is nothing left to do.
    const again = await apply(guest);
    expect(again.steps).toEqual([]);
    expect(again.already.length).toBe(result.steps.length);
  });

  it('goes on where the last one stopped, and still knows what is not its own', async () => {
    const guest = guestWith(everything);
    const { applied } = await apply(guest);
    put(guest.current, 'empty', file('no longer\n'));
    remove(guest.current, 'new');
    put(guest.current, 'gone/x', file('back again\n'));
    const second = await apply(guest, { applied });
    expect(second.steps.map(({ path }) => String(path)).sort()).toEqual([
      'empty',
      'gone/x',
      Buffer.from('new/deep/ü "q"\n', 'latin1').toString(),
    ]);
    writeFileSync(join(home, 'empty'), 'mine');
    put(guest.current, 'empty', file('and on\n'));
    await expect(apply(guest, { applied: second.applied })).rejects.toMatchObject({ code: 'apply_conflict' });
  });

  it('only says what it would do with check', async () => {
    const guest = guestWith(everything);
    const before = describeFolder(home);
    expect((await apply(guest, { isCheck: true })).steps.length).toBeGreaterThan(8);
    expect(describeFolder(home)).toEqual(before);
  });

  it('holds itself to a path', async () => {
    const guest = guestWith(everything);
    expect((await apply(guest, { path: 'new' })).steps.map(({ status }) => status)).toEqual(['added']);
    expect(readFileSync(join(home, 'b.bin'))).toEqual(Buffer.from([0, 1, 2, 255]));
  });

  it('keeps the other permissions of a file', async () => {
    const guest = guestWith((tree) => put(tree, 'a.txt', file('new\n')));
    chmodSync(join(home, 'a.txt'), 0o640);
    await apply(guest);
    expect(statSync(join(home, 'a.txt')).mode & 0o777).toBe(0o640);
  });

  it.each<[string, () => void, string]>([
    [
      'a line that both changed',
      () => writeFileSync(join(home, 'a.txt'), lines(40).replace('line 5\n', '5\n')),
      'a.txt has changed',
    ],
    ['bytes', () => writeFileSync(join(home, 'b.bin'), 'mine'), 'b.bin has changed'],
    ['a new file of the same name', () => writeFileSync(join(home, 'empty'), 'mine'), 'empty exists here too'],
    ['a file that should go', () => appendFileSync(join(home, 'gone/x'), 'mine'), 'gone/x has changed'],
    ['a file that is gone', () => rmSync(join(home, 'b.bin')), 'b.bin is gone'],
    ['a folder with more in it', () => writeFileSync(join(home, 'folder/mine'), 'mine'), 'folder changed'],
    [
      'a link above',
      () => {
        mkdirSync(join(work, 'outside'));
        symlinkSync(join(work, 'outside'), join(home, 'new'));
      },
      'is below the link "new"',
    ],
  ])('refuses over %s, and changes nothing', async (_name, meddle, message) => {
    const guest = guestWith(everything);
    meddle();
    const before = describeFolder(home);
    await expect(apply(guest)).rejects.toMatchObject({
      code: 'apply_conflict',
      message: expect.stringContaining(message),
    });
    expect(describeFolder(home)).toEqual(before);
    expect(existsSync(join(work, 'outside')) ? readdirSync(join(work, 'outside')) : []).toEqual([]);
    expect(readdirSync(home).filter((name) => name.startsWith('.pyro'))).toEqual([]);
  });

  it('takes changes beside those of the host, as git apply does', async () => {
    const guest = guestWith(everything);
    writeFileSync(join(home, 'a.txt'), lines(40).replace('line 30\n', 'thirty\n'));
    expect((await apply(guest)).merged.map(String)).toEqual(['a.txt']);
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe(
      lines(40).replace('line 30\n', 'thirty\n').replace('line 5\n', 'five\n'),
    );
  });

  it.each([false, true])('leaves a merged file alone when it comes again, with 3way %s', async (isThreeWay) => {
    const guest = guestWith(everything);
    writeFileSync(join(home, 'a.txt'), lines(40).replace('line 30\n', 'thirty\n'));
    const { applied } = await apply(guest, { isThreeWay });
    put(guest.current, 'empty', file('and on\n'));
    const again = await apply(guest, { isThreeWay, applied });
    expect(again.steps.map(({ path }) => String(path))).toEqual(['empty']);
    expect(again.already.map(String)).toContain('a.txt');
    expect(again.merged).toEqual([]);
    expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe(
      lines(40).replace('line 30\n', 'thirty\n').replace('line 5\n', 'five\n'),
    );
  });

  it('merges with marks when both changed the same lines', async () => {
    const guest = guestWith(everything);
    writeFileSync(join(home, 'a.txt'), lines(40).replace('line 5\n', '5\n'));
    expect((await apply(guest, { isThreeWay: true })).marked.map(String)).toEqual(['a.txt']);
    const text = readFileSync(join(home, 'a.txt'), 'utf8');
    expect(text).toContain('<<<<<<< this checkout\n5\n');
    expect(text).toContain('five\n>>>>>>> the workspace\n');
  });

  it('takes what the host has already for done', async () => {
    const guest = guestWith(everything);
    writeFileSync(join(home, 'crlf.txt'), 'one\r\nTWO\r\n');
    rmSync(join(home, 'gone'), { recursive: true });
    expect((await apply(guest)).already.map(String).sort()).toEqual(['crlf.txt', 'gone/x']);
    expect(describeFolder(home)).toEqual(describeTree(guest.current));
  });

  it('undoes what a killed one has begun', async () => {
    guestWith(() => undefined);
    const before = describeFolder(home);
    // As it stands after the old content went away and one of two new ones took its place.
    const stage = join(home, '.pyro-apply.partial-0123456789ab');
    mkdirSync(stage);
    const steps = ['a.txt', 'fresh/new', 'b.bin'].map((path) => ({
      path: Buffer.from(path).toString('base64'),
      had: path !== 'fresh/new',
      writes: true,
    }));
    writeFileSync(join(stage, 'journal.json'), JSON.stringify({ version: 1, steps }));
    renameSync(join(home, 'a.txt'), join(stage, 'old-0'));
    writeFileSync(join(home, 'a.txt'), 'half done');
    mkdirSync(dirname(join(home, 'fresh/new')));
    writeFileSync(join(home, 'fresh/new'), 'half done');
    for (const name of ['a.txt', 'fresh/new']) utimesSync(join(home, name), 1000, 1000);
    renameSync(join(home, 'b.bin'), join(stage, 'old-2'));
    writeFileSync(join(stage, 'new-2'), 'not yet');
    const notes = join(work, 'notes');
    await noteStage(notes, stage);
    await recoverApply({ root: home, notes });
    expect(describeFolder(home)).toEqual(before);
  });

  it('keeps the originals of one whose journal cannot be read, and says where they are', async () => {
    const guest = guestWith(everything);
    const stage = join(home, '.pyro-apply.partial-0123456789ab');
    mkdirSync(stage);
    renameSync(join(home, 'a.txt'), join(stage, 'old-0'));
    writeFileSync(join(stage, 'journal.json'), '{"half');
    await expect(apply(guest)).rejects.toMatchObject({ code: 'state_damaged', hint: expect.stringContaining(stage) });
    expect(readFileSync(join(stage, 'old-0'), 'utf8')).toBe(lines(40));
  });

  it('leaves nothing when it is given up', async () => {
    const guest = guestWith(everything);
    const before = describeFolder(home);
    const request = {
      target: home,
      workFolder: join(work, 'lab'),
      hasIgnored: false,
      isCheck: false,
      isThreeWay: false,
      applied: new Map(),
      basesFile: join(work, 'bases.pack'),
      notes: join(work, 'notes'),
    };
    await expect(applyHome(guest, request, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(describeFolder(home)).toEqual(before);
    expect(readdirSync(join(work, 'lab'))).toEqual([]);
  });
});
