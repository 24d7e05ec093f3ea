// The key of a project's image: a hash of all that decides its bytes, found without reading the files themselves.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gitLine } from './git.ts';
import type { Listing } from './project-types.ts';

/** Counts changes of what is made from the same project. */
const formatVersion = 1;

/**
 * A file counts as unchanged while its size, mode, times, inode and device are, as Git's index has it; so a touched
 * file makes another image, and no file is read for the key.
 */
export async function signListing(listing: Listing, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256').update(`${formatVersion}\0${listing.mode}\0`);
  for (const { path, type, mode, size, stamp } of listing.items) {
    hash.update(path).update(`\0${type},${mode},${size},${stamp}\0`);
  }
  for (const { path, root } of listing.repositories) {
    hash.update(path).update('\0');
    const lines = [
      ['rev-parse', '--verify', '-q', 'HEAD'],
      ['symbolic-ref', '-q', 'HEAD'],
      ['rev-parse', '-q', '--verify', '--symbolic-full-name', '@{upstream}'],
      ['rev-parse', '-q', '--verify', '@{upstream}'],
    ].map(async (args) => (await gitLine(root, args, signal)) ?? '');
    const names = ['index', 'config', 'info/exclude', 'info/attributes', 'info/sparse-checkout'];
    const files = names.map(async (name) => {
      const file = await gitLine(root, ['rev-parse', '--path-format=absolute', '--git-path', name], signal);
      return (file === undefined ? undefined : await readFile(file).catch(() => undefined)) ?? 'absent';
    });
    for (const part of await Promise.all([...lines, ...files])) hash.update(part).update('\0');
  }
  return hash.digest('hex').slice(0, 40);
}
