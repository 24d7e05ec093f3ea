// What somebody has planted where a lock, a state file, a log or a folder of ours is expected: told by its kind, never waited for.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { asPyroError, systemCodeOf } from '../../../src/shared/errors.ts';
import { readJson, readOwnFileNow, writeJson } from '../../../src/system/files.ts';
import { makeFolder } from '../../../src/system/folders.ts';
import { acquireLock, findHolder } from '../../../src/system/lock.ts';
import { rotateLog } from '../../../src/system/log.ts';
import { ensurePrivateFolder } from '../../../src/system/paths.ts';
import { folderForEach } from '../../support/own-folder.ts';

let folder = '';
folderForEach('pyro-planted-', (made) => {
  folder = made;
});

const kinds: readonly (readonly [string, (path: string) => void])[] = [
  ['a pipe', (path) => void execFileSync('mkfifo', [path])],
  ['a folder', (path) => void mkdirSync(join(path, 'x'), { recursive: true })],
  ['a link to itself', (path) => symlinkSync('it', path)],
  ['a link that leads nowhere', (path) => symlinkSync('/nowhere/at/all', path)],
  ['a device without end', (path) => symlinkSync('/dev/zero', path)],
  [
    'a socket that nobody serves',
    (path) =>
      void execFileSync('python3', [
        '-c',
        `import os, socket; os.chdir(${JSON.stringify(join(path, '..'))}); socket.socket(socket.AF_UNIX).bind("it")`,
      ]),
  ],
  ['an empty file', (path) => writeFileSync(path, '')],
  [
    'a file of 6 GiB',
    (path) => {
      writeFileSync(path, '');
      truncateSync(path, 6 * 2 ** 30);
    },
  ],
  ['bytes of a program', (path) => writeFileSync(path, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff]))],
  ['JSON without end', (path) => writeFileSync(path, '['.repeat(200_000))],
];

const works: readonly (readonly [string, (path: string) => unknown])[] = [
  ['a lock is taken', async (path) => await (await acquireLock(path))[Symbol.asyncDispose]()],
  ['the holder of a lock is looked for', async (path) => await findHolder(path)],
  ['a state file is read', async (path) => await readJson(path, z.object({}))],
  ['a state file is read at once', (path) => readOwnFileNow(path)],
  ['a state file is written', async (path) => await writeJson(path, {})],
  ['a log is opened', (path) => rotateLog(path)],
  ['a folder is made', async (path) => await makeFolder(path)],
  ['a folder is made below it', async (path) => await makeFolder(join(path, 'below'))],
  ['a folder of this user is made', async (path) => await ensurePrivateFolder(path)],
];

const readers: readonly string[] = ['a state file is read at once'];

describe.each(kinds)('%s', (_kind, plant) => {
  it.each(works)('is told, or does no harm, where %s', async (name, work) => {
    const path = join(folder, 'it');
    plant(path);
    try {
      await work(path);
    } catch (error) {
      // What reads tells a file that is not there by that.
      if (readers.includes(name) && systemCodeOf(error) === 'ENOENT') return;
      const { code, hint } = asPyroError(error);
      expect(['path_unusable', 'path_not_writable', 'state_damaged'], String(error)).toContain(code);
      expect(hint).toBeTruthy();
    }
  });
});
