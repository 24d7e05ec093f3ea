// What a disk stands on, held against what pyro knows of it, before anything of the host opens it: its header was written by a QEMU that a guest may have taken over.
import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { mebibyte } from '../shared/units.ts';
import { type DiskHeader, readDiskHeader } from './disk-header.ts';

export interface DiskChain {
  readonly disk: string;
  /** Paths of the files that it stands on, in their order */
  readonly below: readonly string[];
  /** Largest size that the disk may say it has, `MiB` */
  readonly sizeMib: number;
}

/**
 * The files below a disk, by the paths that its headers name. Throws `state_damaged` unless each is of the one kind that
 * pyro makes and stands on a later one of its chain, the last on none: one that was being merged when we were killed is passed over.
 */
export async function checkChain({ disk, below, sizeMib }: DiskChain): Promise<string[]> {
  const named: string[] = [];
  let [path, rest] = [disk, below];
  for (;;) {
    const header = await headerOf(path);
    if (header.bytes > BigInt(sizeMib) * BigInt(mebibyte))
      throw foreign(path, 'says that it is larger than it was made');
    if (header.below === undefined) {
      if (rest.length > 0) throw foreign(path, 'says that it stands alone');
      return named;
    }
    const next = resolve(dirname(path), header.below);
    const at = await placeOf(next, rest);
    if (at < 0 || header.below.includes('\0'))
      throw foreign(path, 'says that it stands on a file that is none of its guest');
    named.push(next);
    [path, rest] = [next, rest.slice(at + 1)];
  }
}

/** Name of the file below a disk, as its header has it; undefined for one that stands alone, is none of ours, or is not there. */
export async function nameBelow(path: string): Promise<string | undefined> {
  const header = await readDiskHeader(path).catch(() => undefined);
  return header?.below;
}

async function headerOf(path: string): Promise<DiskHeader> {
  let header: DiskHeader | undefined;
  try {
    header = await readDiskHeader(path);
  } catch (cause) {
    throw foreign(path, `cannot be read: ${messageOf(cause)}`, cause);
  }
  if (header === undefined) throw foreign(path, 'is no disk as pyro makes them');
  return header;
}

/** Which of the files it is; a cache may have been reached by another name when a disk was made. */
async function placeOf(path: string, files: readonly string[]): Promise<number> {
  const at = files.indexOf(path);
  if (at >= 0) return at;
  const real = await realpath(path).catch(() => '');
  const reals = await Promise.all(files.map((file) => realpath(file).catch(() => undefined)));
  return reals.indexOf(real);
}

function foreign(path: string, what: string, cause?: unknown): PyroError {
  return new PyroError('state_damaged', `the disk ${path} ${what}`, {
    hint: `it was changed from outside, or by a guest that broke out of its machine, and is not opened: go back to another snapshot or the seed with ${hintCall('workspace.reset', { snapshot: 'baseline' })}, or delete the workspace`,
    cause,
  });
}
