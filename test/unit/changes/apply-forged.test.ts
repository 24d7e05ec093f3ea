// A folder that only looks like what a killed apply has left: a repository or a guest can make one, and nothing is done by it.
import { existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { applyHome } from '../../../src/changes/apply-home.ts';
import { noteStage } from '../../../src/changes/apply-notes.ts';
import { applyRequest } from '../../support/apply-folder.ts';
import { FakeGuestFiles, file, put, treeOf } from '../../support/fake-guest-files.ts';
import { writeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

let work: string;
let home: string;
let stage: string;
const seed = treeOf({ 'a.txt': file('one\n'), own: file('mine\n') });
const changed = new FakeGuestFiles(seed);
put(changed.current, 'a.txt', file('two\n'));

folderForEach('forged-', (folder) => {
  work = folder;
  home = join(work, 'home');
  stage = join(home, '.pyro-apply.partial-0123456789ab');
  writeTree(home, seed);
});

async function apply(guest: FakeGuestFiles = changed) {
  return await applyHome(guest, applyRequest(work), { signal: new AbortController().signal });
}

function forge(paths: readonly string[], had: boolean): void {
  mkdirSync(stage, { recursive: true });
  const steps = paths.map((path) => ({ path: Buffer.from(path).toString('base64'), had, writes: true }));
  writeFileSync(join(stage, 'journal.json'), JSON.stringify({ version: 1, steps }));
  if (had) for (const index of paths.keys()) writeFileSync(join(stage, `old-${index}`), 'planted\n');
}

it.each(['../outside', 'folder/../../outside', '.git/hooks/post-commit', 'own'])('puts nothing at %s', async (path) => {
  forge([path], true);
  await expect(apply()).rejects.toMatchObject({ code: 'state_damaged', hint: expect.stringContaining(stage) });
  expect(existsSync(join(work, 'outside'))).toBe(false);
  expect(existsSync(join(home, '.git'))).toBe(false);
  expect(readFileSync(join(home, 'own'), 'utf8')).toBe('mine\n');
});

it('removes nothing, and brings the changes', async () => {
  writeFileSync(join(work, 'outside'), 'stays\n');
  for (const path of [join(work, 'outside'), join(home, 'own')]) utimesSync(path, 1000, 1000);
  forge(['../outside', 'own'], false);
  await apply();
  expect(readFileSync(join(work, 'outside'), 'utf8')).toBe('stays\n');
  expect(readFileSync(join(home, 'own'), 'utf8')).toBe('mine\n');
  expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe('two\n');
  expect(existsSync(join(stage, 'journal.json'))).toBe(true);
});

it.each(['../outside', 'link/x', '.git/hooks/post-commit'])(
  'does not follow %s in a journal of ours either',
  async (path) => {
    mkdirSync(join(work, 'elsewhere'));
    symlinkSync(join(work, 'elsewhere'), join(home, 'link'));
    forge([path], true);
    await noteStage(applyRequest(work).notes, stage);
    await expect(apply()).rejects.toMatchObject({ code: 'state_damaged' });
    expect(existsSync(join(work, 'outside'))).toBe(false);
    expect(existsSync(join(work, 'elsewhere/x'))).toBe(false);
    expect(existsSync(join(home, '.git'))).toBe(false);
  },
);

it('keeps the original of a file whose folder is a file by now, and says so', async () => {
  forge(['own/x'], true);
  await noteStage(applyRequest(work).notes, stage);
  await expect(apply()).rejects.toMatchObject({ code: 'state_damaged' });
  expect(readFileSync(join(stage, 'old-0'), 'utf8')).toBe('planted\n');
  expect(readFileSync(join(home, 'own'), 'utf8')).toBe('mine\n');
});

it('brings no such folder from a guest', async () => {
  const guest = new FakeGuestFiles(seed);
  put(guest.current, '.pyro-apply.partial-0123456789ab/journal.json', file('{}'));
  put(guest.current, '.pyro-applied.partial-0123456789ab/x', file('x'));
  put(guest.current, 'a.txt', file('two\n'));
  const { omitted } = await apply(guest);
  expect(omitted.map(({ path }) => path)).toEqual([
    '.pyro-applied.partial-0123456789ab/x',
    '.pyro-apply.partial-0123456789ab/journal.json',
  ]);
  expect(existsSync(stage)).toBe(false);
  expect(readFileSync(join(home, 'a.txt'), 'utf8')).toBe('two\n');
});
