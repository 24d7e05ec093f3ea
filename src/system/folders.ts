// Folders made with their parents. Node's own recursive mkdir never ends on file systems such as /proc that answer ENOENT.
import { lstat, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PyroError, systemCodeOf } from '../shared/errors.ts';

/** Makes a folder of mode 0700, and the parents that are missing; one that is there already is fine. */
export async function makeFolder(path: string): Promise<void> {
  for (const isLastTry of [false, true]) {
    try {
      await mkdir(path, { mode: 0o700 });
      return;
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'EEXIST') {
        const kind = await kindOf(path);
        if (kind === 'folder') return;
        if (kind === 'broken link') {
          throw new PyroError(
            'path_unusable',
            `a symbolic link that leads nowhere stands in the place of a folder: ${path}`,
          );
        }
        // Removed by somebody meanwhile.
        if (kind === 'nothing' && !isLastTry) continue;
      }
      if (code !== 'ENOENT' || isLastTry || dirname(path) === path) throw error;
      await makeFolder(dirname(path));
    }
  }
}

async function kindOf(path: string): Promise<'folder' | 'broken link' | 'nothing' | 'other'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return (await lstat(path).catch(() => undefined)) === undefined ? 'nothing' : 'broken link';
  }
}
