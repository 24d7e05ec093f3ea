// A split or sparse index as one plain file: git writes it to a temporary place, the host's stays as it is.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTemporaryFolder } from '../system/temporary-folders.ts';
import { runGit } from './git-command.ts';
import type { Repository } from './git-repository.ts';

export async function temporaryIndex(repository: Repository, bytes: Buffer, signal: AbortSignal): Promise<Buffer> {
  const folder = await makeTemporaryFolder('index');
  try {
    const indexFile = join(folder, 'index');
    await writeFile(indexFile, bytes, { mode: 0o600 });
    const settings = [...repository.overrides, 'index.sparse=false', 'core.splitIndex=false'];
    const args = ['update-index', '--no-split-index', '--force-write-index'];
    await runGit(repository.top, args, { signal, settings, indexFile });
    return await readFile(indexFile);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
