// A listing and the folders of its repositories as one squashfs image, owned by uid 0 throughout.
import { mkdir, open, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PyroError } from '../shared/errors.ts';
import { formatBytes, gibibyte } from '../shared/units.ts';
import { pipeCommands } from '../system/command.ts';
import { type GitFacts, writeGitFolder } from './git-folder.ts';
import type { Listing } from './project-types.ts';

/** The template keeps this much room for the project's disk, `bytes` */
export const projectDiskBytes = 16 * gibibyte;

const tarOptions = [
  '--create',
  '--file=-',
  '--format=gnu',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--no-recursion',
  '--null',
  '--verbatim-files-from',
];
const packOptions = ['-quiet', '-no-progress', '-comp', 'lz4', '-root-uid', '0', '-root-gid', '0', '-root-mode', '755'];

/** Writes the image; `scratch` is an empty folder of the caller's, removed by the caller. */
export async function writeImage(
  listing: Listing,
  image: string,
  scratch: string,
  signal: AbortSignal,
): Promise<GitFacts> {
  const names = listing.items.map(({ path }) => path);
  await writeFile(join(scratch, 'names'), zeroTerminated(names));
  let facts: GitFacts = { commit: null, branch: null };
  const args = [...tarOptions, '-C', listing.root, '-T', join(scratch, 'names')];
  for (const [number, { path, root }] of listing.repositories.entries()) {
    const stage = join(scratch, `r${number}`);
    await mkdir(stage);
    const found = await writeGitFolder(root, join(stage, 'git'), signal);
    if (path.length === 0) facts = found;
    // A name for tar's own renaming cannot hold every byte, so the folder is laid out as it shall be.
    const place = join(stage, 'tree', path.toString('utf8'));
    if (!Buffer.from(path.toString('utf8')).equals(path)) {
      throw new PyroError('seed_unsupported', 'the name of the folder of a submodule is no UTF-8', {
        hint: 'rename the folder',
      });
    }
    await mkdir(place, { recursive: true });
    await rename(join(stage, 'git'), join(place, '.git'));
    await writeFile(join(stage, 'names'), zeroTerminated([Buffer.from(join(path.toString('utf8'), '.git'))]));
    args.push('--recursion', '-C', join(stage, 'tree'), '-T', join(stage, 'names'));
  }
  await pack(args, listing.root, image, signal);
  return facts;
}

/** A tar stream on a program's output as an image. */
async function pack(tarArgs: readonly string[], cwd: string, image: string, signal: AbortSignal): Promise<void> {
  await pipeCommands(['tar', tarArgs, cwd], ['sqfstar', [...packOptions, image]], {
    signal,
    env: { LC_ALL: 'C', SOURCE_DATE_EPOCH: '4294967295' },
  });
  await padImage(image);
}

/** The guest's kernel knows the size of the template's disk, so the image gets that size; the rest is a hole. */
export async function padImage(image: string): Promise<void> {
  const { size } = await stat(image);
  if (size > projectDiskBytes) {
    throw new PyroError(
      'seed_too_large',
      `the project takes ${formatBytes(size)} packed, more than ${formatBytes(projectDiskBytes)}`,
      { hint: 'ignore what is not needed, for example build output and data' },
    );
  }
  const file = await open(image, 'r+');
  try {
    await file.truncate(projectDiskBytes);
  } finally {
    await file.close();
  }
}

function zeroTerminated(names: readonly Buffer[]): Buffer {
  return Buffer.concat(names.flatMap((name) => [name, Buffer.from([0])]));
}
