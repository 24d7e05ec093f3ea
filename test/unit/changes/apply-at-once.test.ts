// Several applies into one folder, of daemons that know nothing of each other: one of them does it, or none, and never halves.
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { applyHome } from '../../../src/changes/apply-home.ts';
import { noteStage } from '../../../src/changes/apply-notes.ts';
import { identifySelf } from '../../../src/system/processes.ts';
import { applyRequest } from '../../support/apply-folder.ts';
import { FakeGuestFiles, file, put, remove, treeOf } from '../../support/fake-guest-files.ts';
import { describeFolder, describeTree, writeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

let work: string;
let home: string;
let stage: string;
const seed = treeOf({ 'a.txt': file('one\n'), 'gone/x': file('x\n'), swap: file('a file\n') });
const guest = new FakeGuestFiles(seed);
put(guest.current, 'a.txt', file('two\n'));
remove(guest.current, 'gone');
put(guest.current, 'swap/inner', file('now a folder\n'));
for (let index = 0; index < 30; index++) put(guest.current, `new/${index}`, file('new\n'));

folderForEach('apply-', (folder) => {
  work = folder;
  home = join(work, 'home');
  stage = join(home, '.pyro-apply.partial-0123456789ab');
  writeTree(home, seed);
});

async function apply(bases = 'bases.pack') {
  const request = applyRequest(work, { basesFile: join(work, bases) });
  return await applyHome(guest, request, { signal: new AbortController().signal });
}

const stages = (): string[] => readdirSync(home).filter((name) => name.startsWith('.pyro'));

it('is done by one or none', async () => {
  const before = describeFolder(home);
  const ends = await Promise.allSettled(['1', '2', '3'].map((name) => apply(name)));
  for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'apply_conflict' });
  const isDone = ends.some(({ status }) => status === 'fulfilled');
  expect(describeFolder(home)).toEqual(isDone ? describeTree(guest.current) : before);
  await apply();
  expect(describeFolder(home)).toEqual(describeTree(guest.current));
  expect(stages()).toEqual([]);
});

it('waits for one that is at it, and leaves its files alone', async () => {
  mkdirSync(stage);
  writeFileSync(join(stage, 'owner.json'), JSON.stringify(identifySelf()));
  writeFileSync(join(stage, 'new-0'), 'in the making');
  await expect(apply()).rejects.toMatchObject({ code: 'apply_conflict', message: expect.stringContaining('another') });
  expect(readFileSync(join(stage, 'new-0'), 'utf8')).toBe('in the making');
  expect(stages()).toHaveLength(1);
});

it("takes one that is just begun for somebody's, and later for nobody's", async () => {
  await noteStage(join(work, 'notes'), stage);
  mkdirSync(stage);
  writeFileSync(join(stage, 'owner.json.partial-0123456789ab'), '{');
  await expect(apply()).rejects.toMatchObject({ code: 'apply_conflict' });
  expect(existsSync(stage)).toBe(true);
  utimesSync(stage, 1000, 1000);
  await apply();
  expect(stages()).toEqual([]);
});
