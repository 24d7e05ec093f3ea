// Changes at full size, without a guest: a list, a patch that Git applies whole and a guest takes, and ignored files that stay out of it.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { collectDiff } from '../../src/changes/diff.ts';
import { applyPatch } from '../../src/changes/patch-apply.ts';
import { FakeGuestFiles, type FakeTree, file, folder } from '../support/fake-guest-files.ts';
import { git } from '../support/host-tree.ts';
import { folderForAll } from '../support/own-folder.ts';
import { isFullSize } from '../support/size.ts';

const count = isFullSize ? 100_000 : 10_000;
/** More than one comparison may name */
const ignoredCount = 250_000;
const largeBytes = isFullSize ? 256 * 1024 * 1024 : 24 * 1024 * 1024;
const context = { signal: new AbortController().signal };
let work = '';

folderForAll('changes-size-', (folder) => {
  work = folder;
});

function seed(): FakeTree {
  return new Map([
    ['.git', folder],
    ['.git/HEAD', file('ref: refs/heads/main\n')],
    ['.gitignore', file('node_modules\n')],
  ]);
}

/** A folder on the host to which the patch is applied. */
function applied(name: string, patch: string): string {
  const target = join(work, name);
  mkdirSync(target);
  git(target, 'init', '-q');
  git(target, 'apply', '--binary', patch);
  return target;
}

it(`brings ${count} new files home, and leaves out ${ignoredCount} that are ignored`, async () => {
  const before = seed();
  const now = seed();
  now.set('n', folder);
  for (let number = 0; number < count; number++) now.set(`n/f${number}`, file(`${number}\n`));
  now.set('node_modules', folder);
  const ignoredFile = file('x');
  for (let number = 0; number < ignoredCount; number++) now.set(`node_modules/f${number}`, ignoredFile);
  const files = new FakeGuestFiles(before, now);
  const folderOf = { workFolder: join(work, 'lab') };
  {
    await using list = await collectDiff(files, { ...folderOf, isStatOnly: true }, context);
    expect(list.summary).toMatchObject({ total: count, added: count });
    expect(list.ignored).toEqual({ files: ignoredCount, bytes: ignoredCount });
  }
  await using diff = await collectDiff(files, folderOf, context);
  const target = applied('many', diff.patch?.file ?? '');
  expect(readdirSync(target).sort()).toEqual(['.git', 'n']);
  expect(readdirSync(join(target, 'n'))).toHaveLength(count);
  expect(readFileSync(join(target, 'n', `f${count - 1}`), 'utf8')).toBe(`${count - 1}\n`);
  const other = new FakeGuestFiles(seed());
  const patch = readFileSync(diff.patch?.file ?? '');
  const result = await applyPatch(other, { workFolder: join(work, 'lab'), patch }, context);
  expect(result.summary).toMatchObject({ total: count, added: count });
  expect(other.current.get(`n/f${count - 1}`)).toEqual(file(`${count - 1}\n`));
});

it(`brings a text and a binary of ${largeBytes} bytes home, and counts neither in a list`, async () => {
  const before = seed();
  const now = seed();
  const text = Buffer.alloc(largeBytes, `${'line of a large text '.repeat(3)}\n`);
  const binary = Buffer.alloc(largeBytes);
  for (let at = 0; at < largeBytes; at += 4096) binary.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  now.set('large.txt', file(text));
  now.set('large.bin', file(binary));
  const files = new FakeGuestFiles(before, now);
  const folderOf = { workFolder: join(work, 'lab') };
  {
    await using list = await collectDiff(files, { ...folderOf, isStatOnly: true }, context);
    expect(list.entries.map(({ path, left_out_bytes: bytes, additions }) => [path, bytes, additions])).toEqual([
      ['large.bin', largeBytes, null],
      ['large.txt', largeBytes, null],
    ]);
  }
  await using diff = await collectDiff(files, folderOf, context);
  const target = applied('large', diff.patch?.file ?? '');
  expect(readFileSync(join(target, 'large.txt')).equals(text)).toBe(true);
  expect(readFileSync(join(target, 'large.bin')).equals(binary)).toBe(true);
});
