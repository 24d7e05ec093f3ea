// Removal of templates that no cached environment needs any more, and of those that were not used for long.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { templateLock } from '../../machine/templates.ts';
import { isPyroError } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/units.ts';
import { diskUse } from '../../system/disk-use.ts';
import { isTemporaryName, readJson } from '../../system/files.ts';
import { acquireLock } from '../../system/lock.ts';

const usedBySchema = z.object({ environment_digest: z.string() });

/** One that is of no use since an update, of pyro or QEMU, is never used again, `ms` */
const longestUnusedMs = 30 * 24 * 3600 * 1000;
const longestDraftMs = 3600 * 1000;

export async function pruneTemplates(
  cacheFolder: string,
  used: ReadonlySet<string>,
  { isAll, isDryRun = false }: { readonly isAll: boolean; readonly isDryRun?: boolean },
  nowMs = Date.now(),
): Promise<{ freed_bytes: number; removed: string[] }> {
  const folder = join(cacheFolder, 'templates');
  const removed: string[] = [];
  let freed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    const record = await readJson(join(folder, name, 'template.json'), usedBySchema).catch(() => undefined);
    const usedMs = (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0;
    const isOfUse = record !== undefined && used.has(record.environment_digest) && usedMs > nowMs - longestUnusedMs;
    // Somebody is making it now, or was killed.
    const isDraft = isTemporaryName(name) && usedMs > nowMs - longestDraftMs;
    if (!isAll && (isOfUse || isDraft)) continue;
    const bytes = await diskUse(join(folder, name));
    if (!isDryRun && !(await removeUnlessMade(cacheFolder, name))) continue;
    freed += bytes;
    removed.push(`template ${name.slice(0, 12)}, ${formatBytes(bytes)}`);
  }
  return { freed_bytes: freed, removed };
}

/** False while somebody makes it, and so needs its draft. */
async function removeUnlessMade(cacheFolder: string, name: string): Promise<boolean> {
  const [key = name] = name.split('.');
  try {
    await using _lock = await acquireLock(templateLock(cacheFolder, key));
    await rm(join(cacheFolder, 'templates', name), { recursive: true, force: true });
    return true;
  } catch (error) {
    if (!isPyroError(error, 'locked')) throw error;
    return false;
  }
}
