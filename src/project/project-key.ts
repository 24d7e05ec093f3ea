// The key of a project image, and the finer stamp that tells whether anything moved while it was read.
import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { type Checkout, describeEntry } from './checkout.ts';
import type { CollectedItem } from './item-collector.ts';
import { stampOf } from './project-types.ts';
import type { Seed } from './seed.ts';

/** Counts up whenever the same project would give other bytes */
const formatVersion = 2;

/** Larger files are told apart by inode, size and times in place of their content, `bytes` */
const largestHashed = 8 * mebibyte;
const largestHashedArchive = 256 * mebibyte;

const safeRead = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Hash of all that decides what a guest sees: HEAD, refs, settings, ignore rules, index, and each path with type, mode
 * and size. A clean tracked file is covered by its index entry; a modified or untracked one by a hash of its content.
 * Times of these are left out on purpose: an image is right for the same content whatever the times, so switching
 * branches there and back, or touching a file, finds the image again. Where nothing but the file itself is at hand
 * (plain folders, included ignored ones, big files, repositories that convert line ends) inode, size, mtime and ctime
 * stand for the content, since ctime cannot be set back.
 */
export async function projectKey(seed: Seed): Promise<string> {
  const hash = createHash('sha256');
  part(hash, [String(formatVersion), seed.mode]);
  for (const checkout of seed.checkouts) hashCheckout(hash, checkout);
  let count = 0;
  for (const item of seed.items.values()) {
    if (++count % 200 === 0) await nextTurn();
    const proof = item.type === 'directory' ? '' : await proofOf(item, seed.mode);
    // An archive's own name and mode are not in the image.
    const { path, mode } = seed.mode === 'tar_archive' ? { path: '', mode: 0 } : item;
    part(hash, [path, `${item.type} ${mode} ${item.type === 'symlink' ? '' : item.size} `, proof]);
  }
  return hash.digest('hex');
}

/** Changes with everything that the key stands for and with any write to any file that goes in. */
export function seedStamp(seed: Seed, key: string): string {
  const hash = createHash('sha256');
  hash.update(key);
  for (const item of seed.items.values()) {
    // A folder's times also change with ignored files in it.
    if (item.type !== 'directory') part(hash, [item.path, stampOf(item)]);
  }
  return hash.digest('hex');
}

function hashCheckout(hash: Hash, checkout: Checkout): void {
  const { repository, status, upstream, index } = checkout;
  const facts = [checkout.place, checkout.gitPlace, status.commit, status.branch, status.aheadBehind];
  part(hash, [JSON.stringify([...facts, upstream, repository.objectFormat, repository.shallow, checkout.config])]);
  part(hash, repository.packs);
  part(hash, [repository.exclude, repository.attributes, repository.userAttributes, repository.sparse]);
  hash.update(`${index?.entries.length ?? 0}:`);
  for (const entry of index?.entries ?? []) hash.update(describeEntry(entry), 'latin1');
}

async function proofOf(item: CollectedItem, mode: Seed['mode']): Promise<string | Buffer> {
  if (item.proof === 'index') return '';
  if (item.proof === 'stamp') return stampOf(item);
  try {
    if (item.type === 'symlink') return readlinkSync(item.absolute, { encoding: 'buffer' });
    if (mode === 'tar_archive') return item.size > largestHashedArchive ? stampOf(item) : await digestOf(item);
    if (item.size > largestHashed) return stampOf(item);
    return createHash('sha256').update(readWhole(item.absolute)).digest();
  } catch (cause) {
    throw readFailure(item, cause);
  }
}

/** Content of a small file, never through a link, never waiting on a pipe. */
function readWhole(path: Buffer): Buffer {
  const file = openSync(path, safeRead);
  try {
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** Reads a file until it ends or there is no more room; gives how many bytes were read. */
export function readStart(path: Buffer, into: Buffer): number {
  const file = openSync(path, safeRead);
  try {
    let at = 0;
    for (let count = -1; count !== 0 && at < into.length; at += count) {
      count = readSync(file, into, at, into.length - at, null);
    }
    return at;
  } finally {
    closeSync(file);
  }
}

/** sha256 of a file's content, streamed. */
export async function digestOf({ absolute }: Pick<CollectedItem, 'absolute'>, signal?: AbortSignal): Promise<Buffer> {
  const hash = createHash('sha256');
  await using file = await open(absolute, safeRead);
  await pipeline(file.createReadStream({ autoClose: false }), hash, signal === undefined ? {} : { signal });
  return hash.digest();
}

/** What a failed read of a listed file means: it went away, or this user may not read it. */
export function readFailure(item: Pick<CollectedItem, 'path'>, cause: unknown): PyroError {
  const path = JSON.stringify(item.path.toString('utf8'));
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL'].includes(systemCodeOf(cause) ?? '')) {
    return new PyroError('seed_changing', `${path} changed while it was read`, {
      hint: 'call again when nothing is writing to the project',
      cause,
    });
  }
  return new PyroError('seed_invalid', `cannot read ${path} in the project: ${messageOf(cause)}`, {
    hint: 'make it readable for this user, or have Git ignore it',
    cause,
  });
}

function part(hash: Hash, parts: readonly (string | Buffer)[]): void {
  for (const each of parts) {
    hash.update(`${Buffer.byteLength(each)}:`).update(each);
  }
}
