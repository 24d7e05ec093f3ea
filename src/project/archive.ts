// Tar archives of a user: unpacked as a stream, and checked entry by entry before anything is made of them.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { startCommand } from '../system/command.ts';
import { lastWords } from '../system/last-words.ts';
import { shown, type TarEntry } from '../system/tar-header.ts';
import { readTar } from '../system/tar-read.ts';
import { checkSize } from './image-file.ts';

export interface ArchiveFacts {
  readonly entryCount: number;
  /** Data of all files, `bytes` */
  readonly bytes: number;
}

const allowedTypes = new Set<TarEntry['type']>(['file', 'link', 'symlink', 'directory']);
const longestExtension = 4 * mebibyte;

/** Reads a whole archive. Throws `seed_invalid` for a name that leads out of it, a device, or damage. */
export async function checkArchive(path: string, signal: AbortSignal): Promise<ArchiveFacts> {
  let entryCount = 0;
  let bytes = 0;
  const failure = (error: unknown): unknown => error;
  await readArchive(path, signal, async (stream) => {
    for await (const { entry } of readTar(stream, { failure, longestExtension, takesOther: true })) {
      checkEntry(entry);
      entryCount++;
      bytes += entry.size;
      checkSize(bytes);
    }
  });
  if (entryCount === 0) {
    throw new PyroError('seed_invalid', `${path} has no entries, or is not a tar archive`, {
      hint: 'give a tar, tar.gz, tar.zst or tar.xz archive',
    });
  }
  return { entryCount, bytes };
}

function checkEntry({ name, type, linkname }: TarEntry): void {
  const refuse = (why: string): PyroError =>
    new PyroError('seed_invalid', `the archive has an entry ${shown(name)} ${why}`, {
      hint: 'remake the archive with relative names, for example: tar -C FOLDER -cf seed.tar .',
    });
  if (!allowedTypes.has(type)) throw refuse(`of an unsupported kind (${type})`);
  for (const each of type === 'link' ? [name, linkname] : [name]) {
    if (each.startsWith('/')) throw refuse('with an absolute name');
    if (each.split('/').includes('..')) throw refuse('that points outside it');
  }
}

interface OpenArchive extends AsyncDisposable {
  readonly stream: Readable;
  /** Settles when the program that unpacks has ended well */
  readonly done: Promise<void>;
}

/** Gives the plain tar stream of an archive to whoever uses it up. Throws `seed_invalid` where it breaks off. */
export async function readArchive<T>(
  path: string,
  signal: AbortSignal,
  use: (stream: Readable) => Promise<T>,
): Promise<T> {
  await using tar = await openArchive(path, signal);
  addAbortSignal(signal, tar.stream);
  try {
    const result = await use(tar.stream);
    await tar.done;
    return result;
  } catch (error) {
    signal.throwIfAborted();
    if (isPyroError(error) && !isPyroError(error, 'input_failed')) throw error;
    const cause = await tar.done.then(
      () => error,
      (reason: unknown) => reason,
    );
    throw new PyroError('seed_invalid', `${path} is not a whole tar archive: ${messageOf(cause)}`, {
      hint: `look with: tar -tvf ${path}`,
      cause,
    });
  }
}

/** By its first bytes. */
async function openArchive(path: string, signal: AbortSignal): Promise<OpenArchive> {
  const start = await firstBytes(path);
  const magic = start.toString('hex');
  if (magic.startsWith('fd377a585a00')) {
    const child = startCommand('xz', ['--decompress', '--stdout', '--', path], { signal });
    const done = child.done.then(({ exitCode, stderr }) => {
      if (exitCode !== 0) throw new Error(lastWords(stderr));
    });
    done.catch(() => child.stdout.destroy());
    const end = async (): Promise<void> => {
      child.stdout.destroy();
      await done.catch(() => undefined);
    };
    return { stream: child.stdout, done, [Symbol.asyncDispose]: end };
  }
  if (magic.startsWith('425a68') || magic.startsWith('504b0304')) {
    throw new PyroError('seed_unsupported', `${path} is a ${magic.startsWith('50') ? 'zip' : 'bzip2'} archive`, {
      hint: 'unpack it and give the folder, or give a tar, tar.gz, tar.zst or tar.xz',
    });
  }
  const file = createReadStream(path);
  const unpack = magic.startsWith('1f8b')
    ? createGunzip()
    : magic.startsWith('28b52ffd')
      ? createZstdDecompress()
      : undefined;
  const done = Promise.resolve();
  if (unpack === undefined) return { stream: file, done, [Symbol.asyncDispose]: async () => void file.destroy() };
  file.on('error', (error) => unpack.destroy(error)).pipe(unpack);
  const end = async (): Promise<void> => {
    file.destroy();
    unpack.destroy();
  };
  return { stream: unpack, done, [Symbol.asyncDispose]: end };
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
