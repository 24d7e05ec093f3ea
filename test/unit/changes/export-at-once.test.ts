// Exports that get in each other's way: each is there whole, or says that its place was taken.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { exportTree } from '../../../src/changes/export.ts';
import { settleFile } from '../../../src/changes/export-place.ts';
import { FakeGuestFiles, file, treeOf } from '../../support/fake-guest-files.ts';
import { folderForEach } from '../../support/own-folder.ts';

let work: string;

folderForEach('at-once-', (folder) => {
  work = folder;
});

async function run(guest: FakeGuestFiles, outputPath: string, format: 'files' | 'tar') {
  const request = { guestPath: '/workspace', outputPath, format, isOverwrite: true, hasGit: false, hasIgnored: true };
  return await exportTree(guest, { ...request, workFolder: work }, { signal: new AbortController().signal });
}

/** A guest whose archive breaks off in the middle for this. */
function guestThat(act: () => void): FakeGuestFiles {
  const guest = new FakeGuestFiles(treeOf({ a: file('a'), b: file('b') }));
  const pack = guest.pack.bind(guest);
  guest.pack = async (...given) => {
    const whole = await Readable.from(await pack(...given)).toArray();
    const bytes = Buffer.concat(whole);
    return Readable.from(
      (function* () {
        yield bytes.subarray(0, 1024);
        act();
        yield bytes.subarray(1024);
      })(),
    );
  };
  return guest;
}

describe('exports at once', () => {
  it.each([
    ['folders', ['files']],
    ['archives', ['tar']],
    ['both', ['files', 'tar']],
  ] as const)(
    'over each other as %s: all are done, the last one stands whole, and nothing is left beside it',
    async (_, formats) => {
      const places = join(work, 'places');
      mkdirSync(join(places, 'out'), { recursive: true });
      writeFileSync(join(places, 'out', 'old'), 'old');
      const names = Array.from({ length: 12 }, (_each, at) => `f${at}`);
      await Promise.all(
        names.map((name, at) => {
          const guest = new FakeGuestFiles(treeOf({ [name]: file(name), same: file(name) }));
          return run(guest, join(places, 'out'), formats[at % formats.length] ?? 'files');
        }),
      );
      expect(readdirSync(places)).toEqual(['out']);
      if (formats.length > 1) return;
      if (formats[0] === 'tar') expect(readFileSync(join(places, 'out')).length % 512).toBe(0);
      else {
        const [name = ''] = readdirSync(join(places, 'out'));
        expect(readdirSync(join(places, 'out'))).toEqual([name, 'same']);
        expect(readFileSync(join(places, 'out', 'same'), 'utf8')).toBe(name);
      }
    },
  );

  it.each(['files', 'tar'] as const)('into a folder that is taken away meanwhile, as %s: says so', async (format) => {
    mkdirSync(join(work, 'deep'));
    const guest = guestThat(() => renameSync(join(work, 'deep'), join(work, 'moved')));
    await expect(run(guest, join(work, 'deep', 'out'), format)).rejects.toMatchObject({ code: 'export_refused' });
    expect(readdirSync(work)).toEqual(['moved']);
  });

  it('as a single file: never over what came meanwhile unless it may, nor over a folder, and a loss is told', async () => {
    const place = { final: join(work, 'final'), temporary: join(work, 'draft'), madeFolders: [] };
    writeFileSync(place.temporary, 'new');
    writeFileSync(place.final, 'came meanwhile');
    await expect(settleFile(place, false)).rejects.toMatchObject({ code: 'output_exists' });
    expect(readFileSync(place.final, 'utf8')).toBe('came meanwhile');
    await settleFile(place, true);
    expect(readFileSync(place.final, 'utf8')).toBe('new');
    for (const isOverwrite of [false, true])
      await expect(settleFile({ ...place, final: join(work, 'other') }, isOverwrite)).rejects.toMatchObject({
        code: 'export_refused',
      });
    writeFileSync(place.temporary, 'new');
    mkdirSync(join(work, 'folder'));
    await expect(settleFile({ ...place, final: join(work, 'folder') }, true)).rejects.toMatchObject({
      code: 'output_exists',
    });
  });
});
