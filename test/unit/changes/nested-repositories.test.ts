// A repository made inside the guest's workspace comes home as plain files, and every way home says so.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { applyHome } from '../../../src/changes/apply-home.ts';
import { collectDiff } from '../../../src/changes/diff.ts';
import { exportTree } from '../../../src/changes/export.ts';
import { applyRequest } from '../../support/apply-folder.ts';
import { FakeGuestFiles, file, put, remove, treeOf } from '../../support/fake-guest-files.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
let work: string;
let guest: FakeGuestFiles;
folderForEach('nested-', (folder) => {
  work = folder;
  const seed = treeOf({
    '.git/HEAD': file('x\n'),
    'old/.git/HEAD': file('x\n'),
    'old/a': file('a\n'),
    'plain/b': file('b\n'),
  });
  guest = new FakeGuestFiles(seed);
  for (const key of ['sub/.git/HEAD', 'sub/deep/f', 'ö/.git', 'ö/f', 'old/new', 'plain/new'])
    put(guest.current, Buffer.from(key).toString('latin1'), file('new\n'));
});

const told = (...folders: string[]) =>
  folders.map((folder) => ({ path: `${folder}/.git`, reason: expect.stringContaining('plain files') }));
const sorted = (found: readonly { readonly path: string }[]) => found.toSorted((a, b) => (a.path < b.path ? -1 : 1));

it('is told by a diff, also of a part', async () => {
  const workFolder = join(work, 'lab');
  await using diff = await collectDiff(guest, { workFolder }, context);
  expect(sorted(diff.omitted)).toEqual(told('sub', 'ö'));
  expect(diff.entries.map(({ path }) => path)).toContain('sub/deep/f');
  await using part = await collectDiff(guest, { workFolder, path: 'sub/deep', isStatOnly: true }, context);
  expect(part.omitted).toEqual(told('sub'));
  remove(guest.current, 'sub/deep');
  await using rest = await collectDiff(guest, { workFolder }, context);
  expect(rest.omitted).toEqual(told('ö'));
});

it('is told by an apply', async () => {
  const target = join(work, 'home');
  mkdirSync(target);
  expect(sorted((await applyHome(guest, applyRequest(work), context)).omitted)).toEqual(told('sub', 'ö'));
  expect(readFileSync(join(target, 'sub/deep/f'), 'utf8')).toBe('new\n');
  expect(existsSync(join(target, 'sub/.git'))).toBe(false);
});

it.each([
  ['files', '/workspace', told('sub', 'ö')],
  ['tar', '/workspace', told('sub', 'ö')],
  ['patch', '/workspace', told('sub', 'ö')],
  ['files', '/workspace/ö', [{ path: '.git', reason: expect.stringContaining('plain files') }]],
] as const)('is told by an export of %s from %s', async (format, guestPath, expected) => {
  const request = { guestPath, outputPath: join(work, 'out'), isOverwrite: false, hasGit: false, hasIgnored: false };
  const result = await exportTree(guest, { ...request, format, workFolder: join(work, 'lab') }, context);
  expect(sorted(result.skipped)).toEqual(expected);
});

it('goes out whole with its history where that is asked for', async () => {
  const request = {
    guestPath: '/workspace',
    outputPath: join(work, 'out'),
    isOverwrite: false,
    hasGit: true,
    hasIgnored: true,
  };
  const result = await exportTree(guest, { ...request, format: 'files', workFolder: join(work, 'lab') }, context);
  expect(result.skipped).toEqual([]);
  expect(existsSync(join(work, 'out/sub/.git/HEAD'))).toBe(true);
});
