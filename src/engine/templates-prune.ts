// Removal of templates that no cached environment needs any more.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { sizeOf } from '../environment/store.ts';
import { readJson } from '../system/files.ts';

const usedBySchema = z.object({ environment_digest: z.string() });

export async function pruneTemplates(
  cacheFolder: string,
  used: ReadonlySet<string>,
  isAll: boolean,
): Promise<{ freed_bytes: number; removed: string[] }> {
  const folder = join(cacheFolder, 'templates');
  const removed: string[] = [];
  let freed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    const record = await readJson(join(folder, name, 'template.json'), usedBySchema).catch(() => undefined);
    if (!isAll && record !== undefined && used.has(record.environment_digest)) continue;
    freed += await sizeOf(join(folder, name));
    await rm(join(folder, name), { recursive: true, force: true });
    removed.push(`template ${name.slice(0, 12)}`);
  }
  return { freed_bytes: freed, removed };
}
