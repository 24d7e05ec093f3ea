// What is taken out of the cache between its choice and its use: said by name, and tried once more.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { linkOrCopy } from '../../../src/machine/disks.ts';
import { againIfTakenAway } from '../../../src/system/taken-away.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('says which file was taken away, and is no internal error', async () => {
  const taking = linkOrCopy(join(folder, 'image'), join(folder, 'place'));
  await expect(taking).rejects.toMatchObject({ code: 'cache_changed', message: expect.stringContaining('image') });
  // A place that is missing is another matter.
  writeFileSync(join(folder, 'image'), 'x');
  await expect(linkOrCopy(join(folder, 'image'), join(folder, 'gone', 'place'))).rejects.toMatchObject({
    code: 'ENOENT',
  });
});

it('chooses once more, and only once', async () => {
  const image = join(folder, 'image');
  const place = join(folder, 'place');
  let turns = 0;
  const start = async (): Promise<number> => {
    turns++;
    // What another process makes again.
    if (turns === 2) writeFileSync(image, 'made anew');
    await linkOrCopy(image, place);
    return turns;
  };
  expect(await againIfTakenAway(start)).toBe(2);
  expect(readFileSync(place, 'utf8')).toBe('made anew');
  turns = 10;
  rmSync(image);
  await expect(againIfTakenAway(start)).rejects.toMatchObject({ code: 'cache_changed' });
  expect(turns).toBe(12);
});
