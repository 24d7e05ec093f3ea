// The Git checkout that a folder lies in; some hosts keep a project's settings under its path.
import { dirname, join } from 'node:path';
import { exists } from '../system/files.ts';

export async function checkoutAround(folder: string): Promise<string | undefined> {
  let path = folder;
  for (;;) {
    if (await exists(join(path, '.git'))) return path;
    if (dirname(path) === path) return undefined;
    path = dirname(path);
  }
}
