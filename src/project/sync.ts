// Files of the host for a push into a guest: listed, hashed, and packed as far as they differ.
import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { PyroError } from '../shared/errors.ts';
import { listFolder } from './listing.ts';
import type { Listing, SeedItem } from './project-types.ts';

const chunkBytes = 256 * 1024;

/** A folder or a checkout as what would go in, or one file by itself. Throws `seed_missing`. */
export async function listForSync(path: string, signal: AbortSignal): Promise<Listing> {
  const status = await lstat(path).catch(() => undefined);
  if (status?.isDirectory() === true) return await listFolder({ path, includes: [] }, signal);
  if (status?.isFile() !== true) {
    throw new PyroError('seed_missing', `there is neither file nor folder at ${path}`, {
      hint: 'give the path of a file or a folder of the host',
    });
  }
  const mode = status.mode & 0o7777;
  const item: SeedItem = { path: Buffer.from(basename(path)), type: 'file', mode, size: status.size, stamp: '' };
  return { mode: 'directory', root: dirname(path), items: [item], repositories: [], leftOut: {} };
}

/** Lower-case hexadecimal sha256 of a file's data or a link's target; empty for a folder. */
export async function digestOf({ root }: Listing, item: SeedItem, signal: AbortSignal): Promise<string> {
  if (item.type === 'directory') return '';
  const hash = createHash('sha256');
  for await (const chunk of contentOf(root, item)) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest('hex');
}

/** Data of a file or target of a link, exactly as long as was listed. Throws `seed_changing`. */
export async function* contentOf(root: string, item: SeedItem): AsyncGenerator<Buffer> {
  const path = Buffer.concat([Buffer.from(`${root}/`), item.path]);
  if (item.type === 'directory') return;
  if (item.type === 'symlink') {
    yield readlinkSync(path, { encoding: 'buffer' });
    return;
  }
  const file = await open(path, 'r');
  try {
    let left = item.size;
    while (left > 0) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(chunkBytes, left)));
      if (bytesRead === 0) throw changing(item);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function changing({ path }: SeedItem): PyroError {
  return new PyroError('seed_changing', `${path.toString('utf8')} changed while it was read`, {
    hint: 'make the call again; nothing was changed in the workspace',
  });
}
