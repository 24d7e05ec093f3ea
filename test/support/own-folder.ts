// A folder for each test of a file, or for all of them, that is gone afterwards.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

/** Gives each test a folder of its own. */
export function folderForEach(prefix: string, use: (folder: string) => void | Promise<void>): void {
  let folder = '';
  beforeEach(async () => {
    folder = newFolder(prefix);
    await use(folder);
  });
  afterEach(() => remove(folder));
}

/** Gives all tests of this file, or of this block, one folder. */
export function folderForAll(prefix: string, use: (folder: string) => void | Promise<void>): void {
  let folder = '';
  beforeAll(async () => {
    folder = newFolder(prefix);
    await use(folder);
  });
  afterAll(() => remove(folder));
}

function newFolder(prefix: string): string {
  return realpathSync(mkdtempSync(join(tmpdir(), prefix)));
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
