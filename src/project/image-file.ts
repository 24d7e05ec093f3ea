// Packs chosen paths of host folders with GNU tar, which keeps every byte of a name, and squeezes them into a squashfs file.

import { rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { formatBytes } from '../shared/units.ts';
import { type RunningCommand, runBytes, startCommand } from '../system/command.ts';
import { failureOf, hostFaultOf } from '../system/command-errors.ts';
import { lastWords } from '../system/last-words.ts';
import { makeTemporaryFolder } from '../system/temporary-folders.ts';
import { markImage } from './image-id.ts';
import { projectDiskBytes } from './project-types.ts';

export interface PathSet {
  readonly folder: string;
  /** Paths below the folder, parents before children; nothing is added by itself */
  readonly paths: Iterable<Buffer>;
}

export interface TarWish {
  /** True when holes of files travel as such */
  readonly isSparse?: boolean;
  /** Name of the one path, in place of its own */
  readonly name?: string | undefined;
}

const zero = Buffer.alloc(1);
const squashfsBlock = 4096;
const pathsAtOnce = 1000;

/** A tar stream of these paths, owned by root, links as links; hard links become files of their own. */
export async function startTar(
  sets: readonly PathSet[],
  signal: AbortSignal,
  { isSparse = false, name }: TarWish = {},
): Promise<RunningCommand> {
  const lists = await makeTemporaryFolder('list');
  const remove = (): Promise<void> => rm(lists, { recursive: true, force: true });
  await using undo = new AsyncDisposableStack();
  undo.defer(remove);
  const from: string[] = [];
  for (const [number, { folder, paths }] of sets.entries()) {
    const list = join(lists, String(number));
    await writeFile(list, ended(paths), { mode: 0o600 });
    from.push('-C', folder, '-T', list);
  }
  const names = ['--no-recursion', '--null', '--no-unquote', '--hard-dereference'];
  const owners = ['--owner=0', '--group=0', '--numeric-owner'];
  const forms = [...(isSparse ? ['--sparse'] : []), ...(name === undefined ? [] : [`--transform=${renaming(name)}`])];
  const args = ['--create', '--format=gnu', ...forms, ...names, ...owners, ...from];
  const tar = startCommand('tar', args, { signal, env: { LC_ALL: 'C', TAR_OPTIONS: undefined } });
  undo.move();
  const done = tar.done.finally(remove);
  done.catch(() => undefined);
  return { ...tar, done };
}

/** The expression of tar that gives every path this name, whatever is in it. */
function renaming(name: string): string {
  return `flags=r;s,.*,${name.replaceAll(/[\\,&]/g, '\\$&')},`;
}

/** In pieces: neither a write for each path nor all of them in memory. */
function* ended(paths: Iterable<Buffer>): Generator<Buffer> {
  let piece: Buffer[] = [];
  for (const path of paths) {
    piece.push(path, zero);
    if (piece.length < 2 * pathsAtOnce) continue;
    yield Buffer.concat(piece);
    piece = [];
  }
  yield Buffer.concat(piece);
}

/** Throws `seed_changing` when tar met files that changed or vanished under it, `seed_invalid` when it could not read. */
export function checkTar({ stderr, exitCode }: { readonly stderr: string; readonly exitCode: number }): void {
  if (exitCode === 0) return;
  const why = lastWords(stderr, { lines: 3, isFirst: true, between: '; ' });
  if (exitCode === 1 || /No such file|removed before|changed as we read|shrank/.test(stderr)) {
    throw new PyroError('seed_changing', `the project changed while it was read: ${why}`, {
      hint: 'call again when nothing is writing to it',
    });
  }
  throw new PyroError('seed_invalid', `the project cannot be read: ${why}`, {
    hint: 'make the file readable for this user, or have Git ignore it',
  });
}

/** Writes the image of a tar stream and pads it to the size that every guest's project disk has. Gives its real size. */
export async function writeImage(tar: Readable, image: string, signal: AbortSignal): Promise<number> {
  const format = ['-quiet', '-no-progress', '-exit-on-error', '-comp', 'lz4', '-mkfs-time', '0'];
  const roots = ['-all-root', '-root-mode', '755', '-root-time', '0'];
  const ending = await runBytes('sqfstar', [...format, ...roots, image], { input: tar, signal });
  const { stderr, exitCode } = ending;
  if (exitCode !== 0) {
    if (hostFaultOf(ending) === 'file_size_limited') throw failureOf('sqfstar', 'sqfstar', ending);
    const why = lastWords(stderr, { lines: 4, isFirst: true, between: '; ' });
    if (/No space left|Disk quota/.test(stderr)) {
      throw new PyroError('disk_full', `no room left while writing ${image}`, { hint: 'free some space' });
    }
    throw new PyroError('seed_invalid', `the image of the project could not be made: ${why}`, {
      hint: 'sqfstar comes with squashfs-tools 4.5 or later; pyro doctor looks for it',
    });
  }
  const { size } = await stat(image);
  // The last bytes of the disk are the image's mark.
  checkSize(size + squashfsBlock);
  await truncate(image, projectDiskBytes);
  await markImage(image);
  return size;
}

export function checkSize(bytes: number): void {
  if (bytes <= projectDiskBytes) return;
  throw new PyroError(
    'seed_too_large',
    `the project has ${formatBytes(bytes)}, but a guest's project disk holds ${formatBytes(projectDiskBytes)}`,
    {
      hint: 'have Git ignore what the guest does not need, or seed a smaller folder',
      details: { bytes, limit_bytes: projectDiskBytes },
    },
  );
}
