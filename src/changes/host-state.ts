// How a path stands below a folder of the host, without following a link: its kind, and the blob that Git would make of it.
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { systemCodeOf } from '../shared/errors.ts';

export interface HostState {
  /** `blocked`: something above it is a file or a link, named by `blockedBy` */
  readonly kind: 'missing' | 'file' | 'symlink' | 'directory' | 'other' | 'blocked';
  /** Mode as Git keeps it, of a file or link */
  readonly mode?: '100644' | '100755' | '120000';
  /** Id of the content as a blob, of a file or link */
  readonly blob?: string;
  readonly status?: Stats;
  /** What stands in the way, relative to the folder */
  readonly blockedBy?: { readonly path: Buffer; readonly isLink: boolean };
}

const slash = Buffer.from('/');

export function placeOf(root: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(root), slash, path]);
}

/** `path` is relative and has been checked: no part of it is empty, `.` or `..`. */
export async function readHostState(root: string, path: Buffer): Promise<HostState> {
  for (let at = path.indexOf(slash); at >= 0; at = path.indexOf(slash, at + 1)) {
    const above = path.subarray(0, at);
    const status = await look(placeOf(root, above));
    if (status === undefined) return { kind: 'missing' };
    if (!status.isDirectory())
      return { kind: 'blocked', blockedBy: { path: Buffer.from(above), isLink: status.isSymbolicLink() } };
  }
  const place = placeOf(root, path);
  const status = await look(place);
  if (status === undefined) return { kind: 'missing' };
  if (status.isDirectory()) return { kind: 'directory', status };
  if (status.isSymbolicLink()) {
    const target = await readlink(place, { encoding: 'buffer' });
    return { kind: 'symlink', mode: '120000', blob: blobHash(target.length).update(target).digest('hex'), status };
  }
  if (!status.isFile()) return { kind: 'other', status };
  const mode = (status.mode & 0o100) === 0 ? '100644' : '100755';
  return { kind: 'file', mode, blob: await hashFile(place), status };
}

/** True when nobody has touched it since: same file, size and times. */
export function isUntouched(then: HostState, now: Stats | undefined): boolean {
  if (then.status === undefined || now === undefined) return then.status === now;
  const { ino, dev, size, mtimeMs, ctimeMs, mode } = then.status;
  const isSame = now.ino === ino && now.dev === dev && now.mode === mode;
  return (
    isSame && (then.kind === 'directory' || (now.size === size && now.mtimeMs === mtimeMs && now.ctimeMs === ctimeMs))
  );
}

/** What stands at a place; undefined for nothing. */
export async function look(place: Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(place);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function hashFile(place: Buffer): Promise<string> {
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const hash = blobHash((await file.stat()).size);
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 })) hash.update(chunk);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

function blobHash(size: number): ReturnType<typeof createHash> {
  return createHash('sha1').update(`blob ${size}\0`);
}
