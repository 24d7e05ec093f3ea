// Disks of a guest: the empty ext4 disk made once, overlays on a frozen one, the place of the project disk.

import { constants, existsSync } from 'node:fs';
import { copyFile, link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCodeOf } from '../shared/errors.ts';
import { gibibyte, mebibyte } from '../shared/units.ts';
import { runCommand } from '../system/command.ts';
import { digestOf } from '../system/content-check.ts';
import { ownFileSize, temporaryName, writeFileAtomic } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { takenAway } from '../system/taken-away.ts';

/** Size of a guest's disk before it is grown, `MiB` */
export const templateDiskMib = 8192;

const placeholderBytes = 16 * gibibyte;
/** A file with any content has as many blocks, of 512 bytes; one of holes alone may have one for its own description */
const leastWritten = 8;
/** The largest of the small disks; what is larger is not read to find out whether it is one */
const largestMade = 64 * mebibyte;

function sumFile(path: string): string {
  return `${path}.sha256`;
}

/**
 * Whether a disk of the cache still holds what was put into it. Whatever stands in the place of another is made anew, or told
 * where it is a folder. Reading it takes some milliseconds, next to the start of a guest.
 */
async function isAsMade(path: string): Promise<boolean> {
  const [bytes, sumBytes] = [await ownFileSize(path), await ownFileSize(sumFile(path))];
  if (bytes === undefined || bytes > largestMade || sumBytes !== 64) return false;
  return (await readFile(sumFile(path), 'latin1')) === (await digestOf({ path, bytes }));
}

/** Of two who make it at once the digest may be the other's: it is made once more then. */
async function publish(draft: string, path: string): Promise<void> {
  const bytes = (await ownFileSize(draft)) ?? 0;
  const sum = await digestOf({ path: draft, bytes });
  await rename(draft, path);
  await writeFileAtomic(sumFile(path), sum);
}

/** Path of an empty formatted disk, made on first need. */
export async function ensureEmptyDisk(cacheFolder: string, signal: AbortSignal): Promise<string> {
  const path = join(cacheFolder, 'disks', `empty-${templateDiskMib}-2.qcow2`);
  if (await isAsMade(path)) return path;
  await makeFolder(dirname(path));
  const raw = temporaryName(path);
  const packed = temporaryName(path);
  try {
    await makeSparse(raw, templateDiskMib * mebibyte);
    const options = ['-q', '-F', '-t', 'ext4', '-L', 'pyro', '-m', '0', '-J', 'size=16'];
    // Room for the descriptors of 1 TiB: the usual reserve asks more of a growing disk's journal than 16 MiB hold.
    const extended = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard,resize=268435456';
    await runCommand('mke2fs', [...options, '-E', extended, raw], { signal });
    await runCommand('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, packed], { signal });
    await publish(packed, path);
    return path;
  } finally {
    await rm(raw, { force: true });
    await rm(packed, { force: true });
  }
}

/** A guest's own copy of a small disk or of a prepared overlay. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
}

/** A second name for an immutable file; a copy where the two folders lie on different file systems. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' && !existsSync(from)) throw takenAway(from, error);
    if (systemCodeOf(error) !== 'EXDEV' && systemCodeOf(error) !== 'EPERM') throw error;
    await copySparse(from, to);
  }
}

/** A copy with the holes that most of these files are full of; what stands at `to` stays. */
export async function copySparse(from: string, to: string, signal?: AbortSignal): Promise<void> {
  await runCommand('cp', ['--sparse=always', '--reflink=auto', '--no-clobber', from, to], { signal });
}

/** An overlay on `backing`, which need not stand at that path yet. */
export async function createOverlay(path: string, backing: string, signal: AbortSignal): Promise<void> {
  await runCommand(
    'qemu-img',
    ['create', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', backing, path, `${templateDiskMib}M`],
    { signal },
  );
}

/** An empty overlay whose base is the file `base.qcow2` beside the copy of it, made on first need. */
export async function ensureRelativeOverlay(cacheFolder: string, signal: AbortSignal): Promise<string> {
  const path = join(cacheFolder, 'disks', `overlay-${templateDiskMib}.qcow2`);
  if (await isAsMade(path)) return path;
  await makeFolder(dirname(path));
  const draft = temporaryName(path);
  try {
    await createOverlay(draft, 'base.qcow2', signal);
    await publish(draft, path);
    return path;
  } finally {
    await rm(draft, { force: true });
  }
}

/** The empty file that keeps the project disk's place in each guest. */
export async function ensureProjectPlaceholder(cacheFolder: string): Promise<string> {
  const path = join(cacheFolder, 'disks', 'project-empty.img');
  if ((await ownFileSize(path)) === placeholderBytes && (await stat(path)).blocks < leastWritten) return path;
  await makeFolder(dirname(path));
  const draft = temporaryName(path);
  try {
    await makeSparse(draft, placeholderBytes);
    await rename(draft, path);
    return path;
  } finally {
    await rm(draft, { force: true });
  }
}

export async function makeSparse(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}
