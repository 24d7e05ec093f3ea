// The key of a project's image: a hash of all that decides its bytes, found without reading the files themselves.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gitAnswer } from './git.ts';
import type { Listing } from './project-types.ts';

/** Counts changes of what is made from the same project. */
const formatVersion = 1;

/**
 * A file counts as unchanged while its size, mode, times, inode and device are, as Git's index has it; so a touched
 * file makes another image, and no file is read for the key.
 */
export async function signListing(listing: Listing, signal: AbortSignal): Promise<string> {
  const lines = listing.items.map(
    ({ path, type, mode, size, stamp }) => `${path.toString('latin1')}\0${type},${mode},${size},${stamp}\0`,
  );
  const hash = createHash('sha256').update(`${formatVersion}\0${listing.mode}\0${lines.join('')}`, 'latin1');
  for (const { path, root } of listing.repositories) {
    hash.update(path).update('\0');
    for (const part of await signRepository(root, signal)) hash.update(part).update('\0');
  }
  return hash.digest('hex').slice(0, 40);
}

const decidingFiles = ['index', 'config', 'info/exclude', 'info/attributes', 'info/sparse-checkout'];

async function signRepository(root: string, signal: AbortSignal): Promise<(string | Buffer)[]> {
  const [commits, names, paths] = await Promise.all([
    gitAnswer(root, ['rev-parse', 'HEAD', '@{upstream}'], signal),
    gitAnswer(root, ['rev-parse', '--symbolic-full-name', 'HEAD', '@{upstream}'], signal),
    gitAnswer(
      root,
      ['rev-parse', '--path-format=absolute', ...decidingFiles.flatMap((name) => ['--git-path', name])],
      signal,
    ),
  ]);
  const files = paths
    .split('\n')
    .filter((path) => path !== '')
    .map(async (path) => (await readFile(path).catch(() => undefined)) ?? 'absent');
  return [commits, names, ...(await Promise.all(files))];
}
