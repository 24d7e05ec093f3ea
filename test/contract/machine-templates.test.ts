// Which saved guests are kept, and which go, on a real folder.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pruneTemplates } from '../../src/engine/guests/templates-prune.ts';
import { findProjectTemplate, projectTemplateKey, pruneProjectTemplates } from '../../src/machine/project-template.ts';
import { readTemplate, type Template } from '../../src/machine/template.ts';
import {
  dropIfPossible,
  dropTemplate,
  ensureTemplate,
  type QemuSetup,
  templateLock,
} from '../../src/machine/templates.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { acquireLock } from '../../src/system/lock.ts';
import { folderForEach } from '../support/own-folder.ts';

const ready: Template = {
  key: '0'.repeat(32),
  magic: Buffer.alloc(16, 1),
  ram: '/none',
  state: '/none',
  kept: [],
  disk: '/none',
  overlay: '/none',
};
let cache = '';
const folder = (): string => join(cache, 'templates');

folderForEach('pc-', (folder) => {
  cache = folder;
});

function save(imageId: string, usedAt: number): string {
  const key = projectTemplateKey(ready, imageId);
  mkdirSync(join(folder(), key), { recursive: true });
  const record = { version: 1, key, magic: 'a'.repeat(32), environment_digest: 'd', created_at: '', build_ms: 1 };
  writeFileSync(join(folder(), key, 'template.json'), JSON.stringify(record));
  for (const name of ['ram', 'state', 'layer.qcow2']) writeFileSync(join(folder(), key, name), '');
  utimesSync(join(folder(), key), usedAt, usedAt);
  return key;
}

it('the last used ones stay, and templates of other kinds do', async () => {
  const keys = ['a', 'b', 'c', 'd'].map((id, at) => save(id, 100 + at));
  mkdirSync(join(folder(), ready.key));
  mkdirSync(join(folder(), `${keys[0]}.partial-00`));
  // To be found is to be used.
  expect(await findProjectTemplate(cache, ready, 'a')).toMatchObject({ key: keys[0] });
  await pruneProjectTemplates(cache, 2);
  expect(readdirSync(folder()).sort()).toEqual([keys[0], keys[3], ready.key, `${keys[0]}.partial-00`].sort());
});

it('one is found for its own image and its own template alone', async () => {
  save('a', 100);
  expect(await findProjectTemplate(cache, ready, 'b')).toBeUndefined();
  expect(await findProjectTemplate(cache, { ...ready, magic: Buffer.alloc(16, 2) }, 'a')).toBeUndefined();
  expect(await findProjectTemplate(cache, { ...ready, key: '1'.repeat(32) }, 'a')).toBeUndefined();
});

it.each(['ram', 'state', 'layer.qcow2', 'template.json'])('one without its %s is none', async (name) => {
  const key = save('a', 100);
  expect(await findProjectTemplate(cache, ready, 'a')).toMatchObject({ key });
  rmSync(join(folder(), key, name));
  expect(await findProjectTemplate(cache, ready, 'a')).toBeUndefined();
});

it('a prune leaves what is in the making now', async () => {
  mkdirSync(join(folder(), 'p00.partial-01'), { recursive: true });
  expect((await pruneTemplates(cache, new Set(), { isAll: false })).removed).toEqual([]);
  expect((await pruneTemplates(cache, new Set(), { isAll: false }, Date.now() + 2 * 3600 * 1000)).removed).toHaveLength(
    1,
  );
});

it('a prune takes those that were not used for a month, as after an update, and those of environments that are gone', async () => {
  const now = Date.now() / 1000;
  const [fresh, old] = [save('a', now - 29 * 86_400), save('b', now - 31 * 86_400)];
  expect((await pruneTemplates(cache, new Set(['d']), { isAll: false })).removed).toEqual([
    expect.stringContaining(`template ${old.slice(0, 12)}, `),
  ]);
  expect(readdirSync(folder())).toEqual([fresh]);
  expect((await pruneTemplates(cache, new Set(['other']), { isAll: false })).removed).toHaveLength(1);
  expect(readdirSync(folder())).toEqual([]);
});

it('one that did not come up goes, unless somebody makes it now, or has made it anew', async () => {
  const key = save('a', 100);
  const failed = await readTemplate(cache, key);
  if (failed === undefined) throw new Error('it was saved');
  {
    await using _made = await acquireLock(templateLock(cache, key));
    await dropTemplate({ cacheFolder: cache }, failed);
    await pruneTemplates(cache, new Set(), { isAll: true });
  }
  expect(readdirSync(folder())).toEqual([key]);
  await dropTemplate({ cacheFolder: cache }, { ...failed, magic: Buffer.alloc(16, 2) });
  expect(readdirSync(folder())).toEqual([key]);
  await dropTemplate({ cacheFolder: cache }, failed);
  expect(readdirSync(folder())).toEqual([]);
});

it('one that did not come up and cannot be removed stays, so that its guest boots without it', async () => {
  const key = save('a', 100);
  const failed = await readTemplate(cache, key);
  if (failed === undefined) throw new Error('it was saved');
  // As in a cache that is read-only, no lock can be made.
  writeFileSync(join(cache, 'locks'), '');
  await expect(dropTemplate({ cacheFolder: cache }, failed)).rejects.toThrow();
  await dropIfPossible({ cacheFolder: cache }, failed);
  expect(readdirSync(folder())).toEqual([key]);
});

it('one is not begun on a disk that has no room for it, where QEMU would be killed without a word', async ({
  skip,
}) => {
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', cache]).status !== 0)
    skip('only root can make a small file system');
  try {
    const context = { signal: new AbortController().signal, onProgress: noProgress };
    const size = { vcpuCount: 1, memoryMib: 256 };
    const environment = { name: 'debian:12', digest: 'd', imagePath: '/none' };
    await expect(ensureTemplate(setupOf(cache), environment, size, context)).rejects.toMatchObject({
      code: 'disk_low',
      message: expect.stringContaining('a template needs 256 MiB'),
      hint: expect.stringMatching(/^make room: environments .* templates /),
    });
  } finally {
    spawnSync('umount', ['--lazy', cache]);
  }
});

/** Of a machine whose QEMU must not be started */
function setupOf(cacheFolder: string): QemuSetup {
  const kit = { kernel: '/none', initramfs: '/none', digest: '', kernelRelease: '', bytes: 0, kept: [] };
  const none = { form: undefined, landlock: 0, weakness: undefined, programFiles: [] };
  return {
    host: {
      qemu: { path: '/none', version: '0', stamp: '', hasReadOnlyMemory: false },
      kit,
      choice: { accelerator: 'tcg', reason: '' },
      tscKhz: 0,
      confinement: { launcher: '/none', onFailure: () => undefined, ...none },
      runtime: '/none',
    },
    cacheFolder,
    emptyDisk: '/none',
    projectPlaceholder: '/none',
    cpuModel: '',
  };
}
