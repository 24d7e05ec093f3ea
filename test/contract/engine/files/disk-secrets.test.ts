// Secrets on a disk image that is about to leave: found wherever they stand, and nothing found where there is none.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { assertCleanDisk } from '../../../../src/engine/files/disk-secrets.ts';
import { SecretSet } from '../../../../src/secrets/secret-set.ts';
import { folderForEach } from '../../../support/own-folder.ts';

const value = Buffer.from('Zx9-a-value-that-nobody-prints');
const secrets = new SecretSet([{ name: 'TOKEN', source: 'literal', value }]);
const { signal } = new AbortController();
const mebibyte = 1024 * 1024;
let folder = '';
folderForEach('pyro-disk-', (made) => {
  folder = made;
});

function image(pieces: readonly (readonly [number, Buffer])[]): string {
  const path = join(folder, 'disk.raw');
  const file = openSync(path, 'w');
  ftruncateSync(file, 512 * mebibyte);
  for (const [at, bytes] of pieces) writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
  return path;
}

it.each([
  ['at the very beginning', 0, value],
  ['behind a hole', 300 * mebibyte + 17, value],
  ['across the border of two reads', 4 * mebibyte - 11, value],
  ['in base64', 8 * mebibyte, Buffer.from(value.toString('base64'))],
  ['in the last bytes', 512 * mebibyte - value.length, value],
])('is found %s', async (_name, at, bytes) => {
  const path = image([
    [4 * mebibyte - 4096, Buffer.alloc(8192, 0x61)],
    [at, bytes],
  ]);
  await expect(assertCleanDisk(path, secrets, signal)).rejects.toMatchObject({ code: 'secret_in_output' });
});

it('is not found where none stands', async () => {
  await assertCleanDisk(image([[mebibyte, Buffer.alloc(3 * mebibyte, 0x62)]]), secrets, signal);
});
