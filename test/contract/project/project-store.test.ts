// The key finds an image again when nothing that matters changed, and a project that moves while it is read is read again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { prepareProjectImage } from '../../../src/project/project-image.ts';
import { findProjectImage, lockProject, pruneProjectImages } from '../../../src/project/project-store.ts';
import { projectDiskBytes } from '../../../src/project/project-types.ts';
import { noProgress } from '../../../src/shared/progress.ts';
import { git, Scratch } from '../../support/project.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

function repository(): string {
  const folder = scratch.repository();
  mkdirSync(join(folder, 'src'));
  for (let i = 0; i < 20; i++) writeFileSync(join(folder, `src/f${i}`), `content ${i} of ${folder}\n`);
  writeFileSync(join(folder, '.gitignore'), '*.tmp\n');
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'first');
  return folder;
}

function stateOf(root: string): string {
  return readdirSync(root)
    .sort()
    .map((name) => `${name} ${statSync(join(root, name)).ino} ${statSync(join(root, name)).size}`)
    .join('\n');
}

describe('the image of a project', () => {
  it('is a sparse file of the size of the project disk', async () => {
    const image = await scratch.prepare(repository());
    expect(statSync(image.path).size).toBe(projectDiskBytes);
    expect(statSync(image.path).blocks * 512).toBeLessThan(1 << 20);
  });

  it('is found again, and then nothing is written', async () => {
    const folder = repository();
    appendFileSync(join(folder, 'src/f1'), 'dirty');
    const first = await scratch.prepare(folder);
    const before = stateOf(scratch.store.root);
    const messages: string[] = [];
    const signal = AbortSignal.timeout(60_000);
    const second = await prepareProjectImage(
      scratch.store,
      { path: folder, includes: [] },
      { signal, onProgress: ({ message }) => messages.push(message) },
    );
    expect(second).toEqual(first);
    expect(messages).toEqual([]);
    expect(stateOf(scratch.store.root)).toBe(before);
  });

  it('stays the same for a touched file, a refreshed index, an ignored file, a branch there and back', async () => {
    const folder = repository();
    const { key } = await scratch.prepare(folder);
    const now = new Date();
    utimesSync(join(folder, 'src/f1'), now, now);
    writeFileSync(join(folder, 'x.tmp'), 'ignored');
    expect((await scratch.prepare(folder)).key).toBe(key);
    git(folder, 'update-index', '--refresh');
    git(folder, 'checkout', '-q', '-b', 'other');
    appendFileSync(join(folder, 'src/f2'), 'more');
    git(folder, 'commit', '-qam', 'second');
    git(folder, 'checkout', '-q', 'main');
    const again = await scratch.prepare(folder);
    expect(again.key).toBe(key);
    expect(again.summary.left_out.ignored).toBe(1);
  });

  it('is another for every change that a guest could see', async () => {
    const folder = repository();
    const seen = new Map<string, string>();
    const steps: Readonly<Record<string, () => void>> = {
      start: () => undefined,
      edit: () => appendFileSync(join(folder, 'src/f1'), 'x'),
      'edit of the same size': () =>
        writeFileSync(join(folder, 'src/f1'), readFileSync(join(folder, 'src/f1'), 'utf8').replace('x', 'y')),
      stage: () => git(folder, 'add', 'src/f1'),
      mode: () => chmodSync(join(folder, 'src/f2'), 0o755),
      'mode that git does not track': () => chmodSync(join(folder, 'src/f3'), 0o600),
      untracked: () => writeFileSync(join(folder, 'new'), '1'),
      'untracked edited': () => writeFileSync(join(folder, 'new'), '2'),
      'ignore rule': () => appendFileSync(join(folder, '.git/info/exclude'), '*.own\n'),
      commit: () => git(folder, 'commit', '-qm', 'next'),
      branch: () => git(folder, 'checkout', '-q', '-b', 'branch'),
      detach: () => git(folder, 'checkout', '-q', '--detach'),
      setting: () => git(folder, 'config', 'core.filemode', 'false'),
      remote: () => git(folder, 'remote', 'add', 'origin', 'https://example.com/x.git'),
      'assume unchanged': () => git(folder, 'update-index', '--assume-unchanged', 'src/f9'),
      'hidden edit': () => appendFileSync(join(folder, 'src/f9'), 'hidden'),
    };
    for (const [name, step] of Object.entries(steps)) {
      step();
      const { key } = await scratch.prepare(folder);
      expect(seen.get(key), `${name} gave the key of before`).toBeUndefined();
      seen.set(key, name);
    }
  });

  it('sees a line end that git takes for no change', async () => {
    const folder = repository();
    writeFileSync(join(folder, '.gitattributes'), '* text=auto\n');
    git(folder, 'add', '-A');
    git(folder, 'commit', '-qm', 'attributes');
    writeFileSync(join(folder, 'src/f1'), 'a\r\nb\n');
    git(folder, 'add', '-A');
    git(folder, 'commit', '-qm', 'lines');
    const first = await scratch.prepare(folder);
    writeFileSync(join(folder, 'src/f1'), 'a\nb\r\n');
    expect(git(folder, 'diff', '--stat').toString()).toBe('');
    const { image, tree } = await scratch.unpacked(folder);
    expect(image.key).not.toBe(first.key);
    expect(readFileSync(join(tree, 'src/f1'), 'latin1')).toBe('a\nb\r\n');
  });

  it('is made once when several ask at the same time', async () => {
    const folder = repository();
    const images = await Promise.all([1, 2, 3].map(() => scratch.prepare(folder)));
    expect(new Set(images.map(({ key }) => key)).size).toBe(1);
    expect(
      readdirSync(scratch.store.root).filter((name) => name.includes('partial') || name.endsWith('.lock')),
    ).toEqual([]);
  });

  it('is made again when its file or record is damaged', async () => {
    const folder = repository();
    const { key, path } = await scratch.prepare(folder);
    writeFileSync(path, 'short');
    expect(await findProjectImage(scratch.store, key)).toBeUndefined();
    expect(statSync((await scratch.prepare(folder)).path).size).toBe(projectDiskBytes);
    writeFileSync(join(scratch.store.root, `${key}.json`), '{');
    expect((await scratch.prepare(folder)).key).toBe(key);
  });

  it('goes with a prune unless it is used, just used, or being made', async () => {
    using own = new Scratch();
    const used = await own.prepare(repository());
    const unused = await own.prepare(repository());
    const building = 'b'.repeat(64);
    mkdirSync(join(own.store.root, `${building}.partial-1`));
    await using lock = await lockProject(own.store, building, { waitMs: 0 });
    expect((await pruneProjectImages(own.store, new Set([used.key]), { graceMs: 60_000 })).removed).toEqual([]);
    const { removed, freed_bytes: freed } = await pruneProjectImages(own.store, new Set([used.key]));
    expect(removed).toEqual([unused.key]);
    expect(freed).toBeGreaterThan(0);
    expect(existsSync(used.path)).toBe(true);
    expect(readdirSync(own.store.root).filter((name) => name.startsWith(building)).length).toBe(2);
    await lock[Symbol.asyncDispose]();
    await pruneProjectImages(own.store, new Set([used.key]));
    expect(readdirSync(own.store.root).sort()).toEqual([`${used.key}.img`, `${used.key}.json`]);
  });
});

describe('a project that changes while it is read', () => {
  it('is read again until it holds still', async () => {
    const folder = repository();
    const signal = AbortSignal.timeout(60_000);
    let packs = 0;
    const image = await prepareProjectImage(
      scratch.store,
      { path: folder, includes: [] },
      {
        signal,
        onProgress: ({ message, doneBytes, isPassing }) => {
          if (message.startsWith('packing') && doneBytes === undefined && isPassing !== true && ++packs === 1)
            writeFileSync(join(folder, 'src/f1'), 'changed meanwhile');
        },
      },
    );
    expect(packs).toBe(2);
    expect(image.summary.dirty).toBe(true);
    expect((await scratch.prepare(folder)).key).toBe(image.key);
  });

  it('is given up after three times, and nothing is left', async () => {
    const folder = repository();
    const writer = spawn('sh', ['-c', 'while :; do date +%N > src/f1; sleep 0.01; done'], {
      cwd: folder,
      stdio: 'ignore',
    });
    const before = readdirSync(scratch.store.root);
    try {
      await expect(scratch.prepare(folder)).rejects.toMatchObject({ code: 'seed_changing', retryable: true });
    } finally {
      writer.kill();
      await once(writer, 'exit');
    }
    expect(readdirSync(scratch.store.root)).toEqual(before);
  });

  it('ends at once when the caller cancels', async () => {
    const folder = repository();
    const abort = new AbortController();
    const running = prepareProjectImage(
      scratch.store,
      { path: folder, includes: [] },
      { signal: abort.signal, onProgress: () => abort.abort() },
    );
    await expect(running).rejects.toThrow();
    expect(readdirSync(scratch.store.root).filter((name) => /partial|lock/.test(name))).toEqual([]);
    await expect(
      prepareProjectImage(
        scratch.store,
        { path: folder, includes: [] },
        { signal: abort.signal, onProgress: noProgress },
      ),
    ).rejects.toThrow();
  });
});
