// Who runs on what has gone bad hears of it: also of two at once, on a disk that takes no write, and beside parts that cannot be looked at.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ContentWatch, readFindings } from '../../../../src/engine/guests/content-watch.ts';
import { checkContents } from '../../../../src/engine/host/doctor-host.ts';
import type { UsedContent } from '../../../../src/machine/machine.ts';
import { sumsOf } from '../../../../src/system/content-check.ts';
import type { Paths } from '../../../../src/system/paths.ts';

let folder: string;
let paths: Paths;
let image: string;
let content: UsedContent;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pd-'));
  const [cache, state, config, runtime] = ['cache', 'state', 'config', 'run'].map((name) => join(folder, name));
  if (!cache || !state || !config || !runtime) throw new Error('there is no folder');
  paths = { cache, state, config, runtime };
  mkdirSync(cache);
  image = join(cache, 'image');
  writeFileSync(image, 'as it was made');
  const file = { path: image, ...(await sumsOf({ path: image, bytes: 14 })) };
  writeFileSync(image, 'as it decayed.');
  content = { label: 'image', files: async () => [file], drop: async () => rmSync(image) };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process of its own, as far as it matters. */
function watch(): { readonly watch: ContentWatch; readonly told: string[] } {
  const told: string[] = [];
  const { signal } = new AbortController();
  const tell = async (ids: ReadonlySet<string>, note: string): Promise<void> => {
    expect(note).toContain('has changed on the disk');
    told.push(...ids);
  };
  return { watch: new ContentWatch({ paths, signal, tell }), told };
}

it('both of two that were started from it are told, though one takes it away before the other looks', async () => {
  const [one, other] = [watch(), watch()];
  let lookOn: () => void = () => undefined;
  const isFound = new Promise<void>((resolve) => {
    lookOn = resolve;
  });
  const later = { ...content, files: async () => await isFound.then(content.files) };
  const looked = other.watch.use('other', [later]);
  await one.watch.use('one', [content]);
  lookOn();
  await looked;
  expect([one.told, other.told]).toEqual([['one'], ['other']]);
  expect(await readFindings(paths)).toMatchObject([{ label: 'image', was_dropped: true }]);
});

it('one that a clean-up takes away is no damage', async () => {
  const { watch: looks, told } = watch();
  rmSync(image);
  await looks.use('one', [content]);
  expect([told, await readFindings(paths)]).toEqual([[], []]);
});

it('whose it is are told where it can be taken away no more, and that it is still in use', async () => {
  const { watch: looks, told } = watch();
  const held = { ...content, drop: async () => await Promise.reject(new Error('read-only')) };
  await expect(looks.use('one', [held])).rejects.toThrow('read-only');
  expect(told).toEqual(['one']);
  expect(await readFindings(paths)).toMatchObject([{ label: 'image', was_dropped: false }]);
  const [check] = await checkContents(paths);
  expect(check).toMatchObject({ status: 'fail', message: expect.stringContaining('still in use') });
  // A template does not come with the package: to install that again helps nobody.
  expect(check?.fix).toMatch(/pyro clean --all/);
});

it('whose it is are told where nothing can be written down', async () => {
  const { watch: looks, told } = watch();
  writeFileSync(paths.state, 'no folder');
  await expect(looks.use('one', [content])).rejects.toThrow();
  expect(told).toEqual(['one']);
});

it('one part that cannot be looked at keeps no other from being looked at', async () => {
  const { watch: looks, told } = watch();
  const odd = { ...content, label: 'odd', files: async () => await Promise.reject(new Error('no access')) };
  await expect(looks.use('one', [odd, content])).rejects.toThrow('no access');
  expect(told).toEqual(['one']);
});

it('what the disk does not give any more is bad', async () => {
  const { watch: looks, told } = watch();
  // Its first page is not mapped: reading it fails as a bad sector does.
  const file = { path: '/proc/self/mem', bytes: 100, sha256: 'a'.repeat(64) };
  await looks.use('one', [{ label: 'sector', files: async () => [file], drop: async () => undefined }]);
  expect(told).toEqual(['one']);
});
