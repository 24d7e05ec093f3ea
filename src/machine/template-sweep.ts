// Templates that were not whole when their maker was killed: each is as large as a guest's memory.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPyroError } from '../shared/errors.ts';
import { isTemporaryName } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import { templateLock } from './templates.ts';

/** Whoever makes a template holds the lock of its key, so what lies there while we hold it is nobody's. */
export async function sweepTemplates(cacheFolder: string): Promise<void> {
  const folder = join(cacheFolder, 'templates');
  for (const name of await readdir(folder).catch(() => [])) {
    if (!isTemporaryName(name)) continue;
    const key = name.slice(0, name.indexOf('.'));
    try {
      await using _lock = await acquireLock(templateLock(cacheFolder, key));
      await rm(join(folder, name), { recursive: true, force: true });
    } catch (error) {
      if (!isPyroError(error, 'locked')) throw error;
    }
  }
}
