// Reads one layer file as a stream of entries: gzip, zstd or plain tar, with bounds on everything it claims.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isPyroError, messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { gibibyte, mebibyte } from '../shared/units.ts';
import { ByteSource } from './byte-source.ts';
import { fillHoles, mostHoles, readStored } from './sparse.ts';
import { blockSize, type Extension, readEntry, readPax, readRawHeader, shown, type TarEntry } from './tar-header.ts';
import { isZstd, unpackZstd } from './zstd.ts';

export interface LayerItem {
  readonly entry: TarEntry;
  /** The entry's data; what is left unread is skipped */
  readonly data: () => AsyncGenerator<Buffer>;
}

export interface LayerSource {
  readonly path: string;
  /** Number for messages, from 1 */
  readonly number: number;
  readonly signal: AbortSignal;
  /** Called at the end with the digest of the unpacked bytes */
  readonly onDigest?: (digest: string) => void;
}

/** What Docker once read besides */
const otherCompressions = [
  { name: 'xz', start: /^\xfd7zXZ\0/ },
  { name: 'bzip2', start: /^BZh[1-9]1AY&SY/ },
] as const;
const longestMagic = 10;
const longestExtension = 4 * mebibyte;
const longestLayer = 256 * gibibyte;
const plain: Extension = { records: new Map(), longName: undefined, longLink: undefined };

/** Entries in their order. Throws `image_invalid` or `image_unsupported` with the layer's number. */
export async function* readLayer(source: LayerSource): AsyncGenerator<LayerItem> {
  source.signal.throwIfAborted();
  const stream = await openLayer(source.path).catch((error: unknown) => {
    throw asLayerError(error, source.number);
  });
  const onAbort = (): void => {
    stream.destroy(new PyroError('cancelled', 'cancelled'));
  };
  source.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const hash = source.onDigest === undefined ? undefined : createHash('sha256');
    let total = 0;
    const bytes = new ByteSource(stream, (chunk) => {
      total += chunk.length;
      if (total > longestLayer) throw new PyroError('image_invalid', `unpacks to more than ${longestLayer} bytes`);
      hash?.update(chunk);
    });
    for await (const { entry, data } of entriesOf(bytes)) {
      // The data fails in its reader's hands, not in ours.
      yield { entry, data: () => named(data(), source) };
    }
    if (hash === undefined) return;
    // The digest also counts what stands behind the archive's end.
    await bytes.drain();
    source.onDigest?.(`sha256:${hash.digest('hex')}`);
  } catch (error) {
    source.signal.throwIfAborted();
    throw asLayerError(error, source.number);
  } finally {
    source.signal.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}

async function* named(data: AsyncGenerator<Buffer>, source: LayerSource): AsyncGenerator<Buffer> {
  try {
    yield* data;
  } catch (error) {
    source.signal.throwIfAborted();
    throw asLayerError(error, source.number);
  }
}

async function* entriesOf(bytes: ByteSource): AsyncGenerator<LayerItem> {
  let extension = plain;
  let holes = 0;
  for (;;) {
    const block = await bytes.take(blockSize);
    const header = block === undefined ? undefined : readRawHeader(block);
    if (header === undefined) return;
    if (/[xgLK]/.test(header.flag)) {
      if (header.size > longestExtension)
        throw new PyroError('image_invalid', 'has an extended header that is too long');
      const body = await bytes.need(header.size);
      await bytes.skip(padded(header.size) - header.size);
      // Global headers carry comments of tools such as git archive; container tools ignore them as well.
      if (header.flag === 'x') extension = { ...extension, records: readPax(body) };
      if (header.flag === 'L') extension = { ...extension, longName: untilZero(body) };
      if (header.flag === 'K') extension = { ...extension, longLink: untilZero(body) };
      continue;
    }
    const entry = readEntry(header, extension);
    const { size, pieces } = await readStored(bytes, header, { records: extension.records, entry });
    extension = plain;
    holes += entry.size - size;
    if (holes > mostHoles) {
      throw new PyroError(
        'image_unsupported',
        `${shown(entry.name)} is a file of ${entry.size} bytes, nearly all holes`,
        {
          hint: 'build the image without it; large user ids make /var/log/lastlog grow like this (useradd --no-log-init)',
        },
      );
    }
    let left = size;
    const some = async (most: number): Promise<Buffer> => {
      const piece = await bytes.some(Math.min(most, left));
      left -= piece.length;
      return piece;
    };
    yield {
      entry,
      data: async function* () {
        if (pieces !== undefined) return yield* fillHoles(pieces, entry.size, some);
        while (left > 0) yield await some(left);
      },
    };
    await bytes.skip(left + padded(size) - size);
  }
}

/** By the first bytes, since media types of layers are often wrong. */
async function openLayer(path: string): Promise<Readable> {
  const file = await open(path, 'r');
  let magic: Buffer;
  try {
    magic = (await file.read(Buffer.alloc(longestMagic), 0, longestMagic, 0)).buffer;
  } finally {
    await file.close();
  }
  const raw = createReadStream(path, { highWaterMark: 256 * 1024 });
  // The last stream of a pipeline reports the failures of all; whoever reads it sees them.
  if (magic[0] === 0x1f && magic[1] === 0x8b)
    return pipeline(raw, createGunzip({ chunkSize: 256 * 1024 }), () => undefined);
  const other = otherCompressions.find(({ start }) => start.test(magic.toString('latin1')));
  if (other !== undefined) {
    throw new PyroError('image_unsupported', `is compressed with ${other.name}`, {
      hint: 'push the image again with gzip or zstd, the default of current tools',
    });
  }
  return isZstd(magic.readUInt32LE(0)) ? Readable.from(unpackZstd(raw), { objectMode: false }) : raw;
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}

function asLayerError(error: unknown, number: number): unknown {
  // Troubles of the host's own disk are not the image's fault.
  if (/^E[A-Z]+$/.test(systemCodeOf(error) ?? '')) return error;
  if (isPyroError(error) && error.message.startsWith(`layer ${number}: `)) return error;
  const code = isPyroError(error, 'image_unsupported') ? 'image_unsupported' : 'image_invalid';
  const why = isPyroError(error) ? error.message : `does not unpack: ${messageOf(error)}`;
  const hint = isPyroError(error) ? error.hint : undefined;
  return new PyroError(code, `layer ${number}: ${why}`, {
    hint: hint ?? 'the image is damaged or hostile, and nothing of it was used; pull another tag or ask its maintainer',
    cause: error,
  });
}
