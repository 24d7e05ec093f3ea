// Contents that were not whole when their writer was killed: removed by who owns the folder, before anybody writes there.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporaryName } from './files.ts';

/** Removes what stands below a folder under names of contents that are not whole. What cannot be removed stays for the next time. */
export async function sweepTemporaries(folder: string, options: { readonly isDeep: boolean }): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (isTemporaryName(entry.name)) await rm(path, { recursive: true, force: true }).catch(() => undefined);
    else if (options.isDeep && entry.isDirectory()) await sweepTemporaries(path, options);
  }
}
