// Files that appear whole or not at all, and JSON that is checked when it is read.
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { lstat, open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { formatBytes, mebibyte } from '../shared/units.ts';
import { makeFolder } from './folders.ts';

/** Writes a file by a temporary neighbour and a rename, so that a reader sees the old content or the new. */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  await makeFolder(dirname(path));
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** How names of contents that are not whole yet differ from others, so that sweeps recognise them */
const temporaryMark = '.partial-';

/** Name beside `path` for content that is not whole yet. */
export function temporaryName(path: string): string {
  return `${path}${temporaryMark}${randomBytes(6).toString('hex')}`;
}

/** True for a name that {@link temporaryName} has made. */
export function isTemporaryName(name: string): boolean {
  return name.includes(temporaryMark);
}

export async function writeJson(path: string, value: unknown, mode = 0o600): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`, mode);
}

/** Longest file of ours that is read whole, `bytes` */
const longestOwn = 64 * mebibyte;
/** A pipe that somebody has planted would be waited for without end */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/** The text of a file of ours. Throws `path_unusable` for what is none, `state_damaged` for one that is too long. */
export async function readOwnFile(path: string): Promise<string> {
  await using file = await open(path, readFlags);
  assertOwn(path, await file.stat());
  return await file.readFile('utf8');
}

/** The same at once, for the small ones. */
export function readOwnFileNow(path: string): string {
  const fd = openSync(path, readFlags);
  try {
    assertOwn(path, fstatSync(fd));
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function assertOwn(path: string, status: Stats): void {
  assertRegular(path, status);
  if (status.size > longestOwn) {
    throw new PyroError('state_damaged', `${path} is longer than ${formatBytes(longestOwn)}`);
  }
}

/** Throws `path_unusable` for a pipe, a device or a folder, which cannot be read or written as a file. */
export function assertRegular(path: string, status: Pick<Stats, 'isFile'>): void {
  if (!status.isFile()) {
    throw new PyroError('path_unusable', `something that is no regular file stands in the place of one: ${path}`);
  }
}

/** Parsed content, or undefined when there is no such file. Throws `state_damaged` for content that does not fit. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readOwnFile(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PyroError('state_damaged', `${path} does not have the expected content`, {
      hint: 'remove the file; what it describes is recreated or reported as missing',
      cause,
    });
  }
}

/** True when something, also a broken link, stands at the path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/**
 * Size of a file that we have made; undefined for none, and for what somebody has put in its place: a link, a pipe, a device, a
 * folder, a file of another user.
 */
export async function ownFileSize(path: string): Promise<number | undefined> {
  const status = await lstat(path).catch(() => undefined);
  return status?.isFile() === true && status.uid === process.getuid?.() ? status.size : undefined;
}

/** The file that a path names, links followed; even where a link leads to a file that is not there yet. */
export async function whereLinksLead(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'EACCES') return path;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    const status = await lstat(path).catch(() => undefined);
    if (status === undefined || !status.isSymbolicLink()) return path;
    return resolve(dirname(path), await readlink(path));
  }
}

/** True when both are the same file, or two that have the same bytes; for files that fit in memory. */
export async function haveSameContent(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(one), stat(other)]);
  if (a.dev === b.dev && a.ino === b.ino) return true;
  if (a.size !== b.size) return false;
  const [first, second] = await Promise.all([readFile(one), readFile(other)]);
  return first.equals(second);
}

/** Comes back when the file's content is on the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
