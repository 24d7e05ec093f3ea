// A tar archive as a seed: every entry is looked at first, then the whole goes into the image.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import { runCommand } from '../system/command.ts';
import { padImage } from './image.ts';

export interface ArchiveFacts {
  readonly entryCount: number;
  readonly bytes: number;
}

/** Digest of the file as it stands. */
export async function hashArchive(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex').slice(0, 40);
}

/** Throws `seed_invalid` for a name that leads out of the folder, a device, or what is no tar archive. */
export async function checkArchive(path: string, signal: AbortSignal): Promise<ArchiveFacts> {
  const parser = extract();
  let entryCount = 0;
  let bytes = 0;
  parser.on('entry', (header, stream, next) => {
    entryCount++;
    bytes += header.type === 'file' ? (header.size ?? 0) : 0;
    stream.resume();
    const wrong = faultOf(header.name, header.type ?? 'file');
    stream.once('end', () => next(wrong));
  });
  try {
    await pipeline(await openArchive(path), parser, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isPyroError(error)) throw error;
    throw invalid(path, `does not read as a tar archive: ${messageOf(error)}`);
  }
  if (entryCount === 0) throw invalid(path, 'has no entry');
  return { entryCount, bytes };
}

export async function writeArchiveImage(path: string, image: string, signal: AbortSignal): Promise<void> {
  const input = await openArchive(path);
  await runCommand('sqfstar', ['-quiet', '-no-progress', '-comp', 'lz4', '-all-root', image], {
    input,
    signal,
    env: { SOURCE_DATE_EPOCH: '4294967295' },
  });
  await padImage(image);
}

function faultOf(name: string, type: string): PyroError | undefined {
  if (name.startsWith('/') || name.split('/').includes('..') || name.includes('\0'))
    return invalid(name, 'leads out of the folder that it is unpacked in');
  if (/device|fifo|contiguous/.test(type)) return invalid(name, `is a ${type}`);
  return undefined;
}

function invalid(what: string, why: string): PyroError {
  return new PyroError('seed_invalid', `${JSON.stringify(what.slice(0, 200))} ${why}`, {
    hint: 'make the archive with: tar -czf seed.tar.gz -C FOLDER .',
  });
}

async function openArchive(path: string): Promise<Readable> {
  const file = await open(path, 'r');
  const magic = Buffer.alloc(6);
  await file.read(magic, 0, 6, 0);
  await file.close();
  const raw = createReadStream(path, { highWaterMark: 256 * 1024 });
  const unpack =
    magic[0] === 0x1f && magic[1] === 0x8b
      ? createGunzip()
      : magic.readUInt32LE(0) === 0xfd2fb528
        ? createZstdDecompress()
        : undefined;
  if (magic.toString('latin1', 1, 4) === '7zX' || magic.toString('latin1', 0, 3) === 'BZh')
    throw invalid(path, 'is packed by xz or bzip2; gzip and zstd are read');
  if (unpack === undefined) return raw;
  raw.on('error', (error) => unpack.destroy(error));
  return raw.pipe(unpack);
}
