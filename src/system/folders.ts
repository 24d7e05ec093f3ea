// Folders made with their parents. Node's own recursive mkdir never ends on file systems such as /proc that answer ENOENT.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from '../shared/errors.ts';

/** Makes a folder of mode 0700, and the parents that are missing; one that is there already is fine. */
export async function makeFolder(path: string): Promise<void> {
  for (const isLastTry of [false, true]) {
    try {
      await mkdir(path, { mode: 0o700 });
      return;
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
      if (code !== 'ENOENT' || isLastTry || dirname(path) === path) throw error;
      await makeFolder(dirname(path));
    }
  }
}
