// The record of what was applied, and which resets end it.
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  basesFile,
  forgetApplied,
  prepareApplied,
  readApplied,
} from '../../../../src/engine/workspace/applied-record.ts';
import { folderForEach } from '../../../support/own-folder.ts';

let folder: string;
folderForEach('applied-', (made) => {
  folder = made;
});

const states = new Map([['a.txt', '100644 0123']]);

async function record(): Promise<void> {
  const keep = await prepareApplied(folder, '/home', mkdtempSync(join(folder, 'lab-')), states);
  expect(await readApplied(folder, '/home')).toEqual(new Map());
  await keep();
  writeFileSync(basesFile(folder), 'pack');
}

it('is in force once it is put there, for this folder alone', async () => {
  await record();
  expect(await readApplied(folder, '/home')).toEqual(states);
  expect(await readApplied(folder, '/elsewhere')).toEqual(new Map());
});

const hour = 3600;
it.each([
  ['ends with a reset to the seed', undefined, 0],
  ['ends with a reset to what was saved before', Date.now() / 1000 - hour, 0],
  ['goes on after a reset to what was saved later', Date.now() / 1000 + hour, 1],
])('%s', async (_name, savedAt, count) => {
  await record();
  await forgetApplied(folder, savedAt);
  expect((await readApplied(folder, '/home')).size).toBe(count);
  expect(existsSync(basesFile(folder))).toBe(count > 0);
});

it('is forgotten where none was written', async () => {
  await expect(forgetApplied(folder, Date.now() / 1000)).resolves.toBeUndefined();
});
