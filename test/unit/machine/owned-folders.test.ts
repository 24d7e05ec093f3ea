// Folders of sockets whose makers were killed go; those of living ones, and of others, stay.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ownedFolderName, sweepOwnedFolders } from '../../../src/machine/owned-folders.ts';
import { folderForEach } from '../../support/own-folder.ts';

let folder = '';
folderForEach('pyro-owned-', (made) => {
  folder = made;
});

it('removes what a dead process has made, and nothing else', async () => {
  const dead = spawnSync('true').pid;
  const mine = ownedFolderName();
  for (const name of [`t${dead}-1-abcd`, mine, 'w0123456789ab-012345', 'template']) mkdirSync(join(folder, name));
  mkdirSync(join(folder, `t${dead}-1-abcd`, 'inner'));
  await sweepOwnedFolders(folder);
  expect(readdirSync(folder).sort()).toEqual([mine, 'template', 'w0123456789ab-012345'].sort());
});

it('takes a folder that is not there for an empty one', async () => {
  await expect(sweepOwnedFolders(join(folder, 'none'))).resolves.toBeUndefined();
});
