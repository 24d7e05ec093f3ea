// Sync push: hashes to compare, and a stream that holds the chosen part and nothing else.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { openSyncSource, type SyncSource } from '../../../src/project/sync.ts';
import { describeTree, git, Scratch } from '../../support/project.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const signal = AbortSignal.timeout(100_000);

function folderWithFiles(): string {
  const folder = scratch.repository();
  mkdirSync(join(folder, 'dir'));
  writeFileSync(join(folder, 'dir/a'), 'a');
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/dir/`), Buffer.from([0xe9, 0x0a])]), 'bytes');
  writeFileSync(join(folder, 'run'), 'run');
  chmodSync(join(folder, 'run'), 0o755);
  symlinkSync('../x', join(folder, 'link'));
  writeFileSync(join(folder, '.gitignore'), '.env\n');
  writeFileSync(join(folder, '.env'), 'secret');
  git(folder, 'add', 'dir', 'run');
  return folder;
}

async function unpack(source: SyncSource, indexes: readonly number[]): Promise<string> {
  const folder = scratch.folder();
  const path = join(scratch.folder(), 'out.tar');
  await writeFile(path, source.pack(indexes, signal));
  execFileSync('tar', ['-xpf', path, '-C', folder]);
  return folder;
}

describe('a sync source', () => {
  it('lists a checkout without .git and ignored files, with the hashes of what stands on disk', async () => {
    const folder = folderWithFiles();
    for (const size of [0, 262_143, 262_144, 1_000_000]) writeFileSync(join(folder, `${size}`), randomBytes(size));
    await using source = await openSyncSource({ path: folder, includes: [] }, signal);
    const listed = [...source.items].map(({ path, type }) => `${type} ${path.toString('latin1')}`);
    const sized = ['file 0', 'file 1000000', 'file 262143', 'file 262144'];
    expect(listed.sort()).toEqual(
      [
        ...sized,
        'directory dir',
        'file .gitignore',
        'file dir/a',
        'file dir/\xe9\n',
        'file run',
        'symlink link',
      ].sort(),
    );
    for (const item of source.items) {
      const expected =
        item.type === 'file' ? readFileSync(Buffer.concat([Buffer.from(`${folder}/`), item.path])) : '../x';
      const hash = item.type === 'directory' ? '' : createHash('sha256').update(expected).digest('hex');
      expect(item.sha256).toBe(hash);
    }
  });

  it('packs all, or the chosen ones only, owned by root', async () => {
    const folder = folderWithFiles();
    await using source = await openSyncSource({ path: folder, includes: [] }, signal);
    const all = await unpack(
      source,
      [...source.items].map((_, index) => index),
    );
    expect(describeTree(all)).toEqual(describeTree(folder, (path) => path === '.env'));
    const run = [...source.items].findIndex(({ path }) => path.toString() === 'run');
    const part = await unpack(source, [run]);
    expect(readdirSync(part)).toEqual(['run']);
    const path = join(scratch.folder(), 'x.tar');
    await writeFile(path, source.pack([run], signal));
    expect(execFileSync('tar', ['-tvf', path, '--numeric-owner']).toString()).toContain(' 0/0 ');
  });

  it('takes a single file and an archive', async () => {
    const folder = folderWithFiles();
    await using file = await openSyncSource({ path: join(folder, 'run'), includes: [] }, signal);
    expect(file.mode).toBe('file');
    expect([...file.items].map(({ path }) => path.toString())).toEqual(['run']);
    const path = join(scratch.folder(), 'x.tgz');
    execFileSync('tar', ['-czf', path, '-C', folder, 'dir', 'link', 'run']);
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('pyro-sync-'));
    {
      await using source = await openSyncSource({ path, includes: [] }, signal);
      const out = await unpack(
        source,
        [...source.items].map((_, index) => index),
      );
      expect(describeTree(out)).toEqual(describeTree(folder, (name) => name.startsWith('.')));
    }
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('pyro-sync-'))).toEqual(before);
  });

  it('takes a folder whole, and a file by another name, whatever is in it', async () => {
    const folder = folderWithFiles();
    await using source = await openSyncSource({ path: folder, includes: [], isWhole: true }, signal);
    const out = await unpack(
      source,
      [...source.items].map((_, index) => index),
    );
    expect(describeTree(out)).toEqual(describeTree(folder));
    expect(source.leftOut.git_folders).toBe(1);
    for (const name of ['a,b&c\\d', 'new\nline', '-x']) {
      const wish = { path: join(folder, 'run'), includes: [], isWhole: true, name };
      await using file = await openSyncSource(wish, signal);
      expect(readdirSync(await unpack(file, [0]))).toEqual([name]);
    }
    const path = join(scratch.folder(), 'x.tgz');
    execFileSync('tar', ['-czf', path, '-C', folder, 'run']);
    await using archive = await openSyncSource({ path, includes: [], isWhole: true }, signal);
    expect([...archive.items].map(({ path: item }) => item.toString())).toEqual(['x.tgz']);
  });

  it('fails when a file is not as it was hashed', async () => {
    const folder = folderWithFiles();
    await using source = await openSyncSource({ path: folder, includes: [] }, signal);
    writeFileSync(join(folder, 'run'), 'RUN');
    const run = [...source.items].findIndex(({ path }) => path.toString() === 'run');
    await expect(buffer(source.pack([run], signal))).rejects.toMatchObject({ code: 'seed_changing' });
    expect(existsSync(join(folder, '.git'))).toBe(true);
  });
});
