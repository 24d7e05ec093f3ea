// Reads one layer file as a stream of entries: gzip, zstd or plain tar, with bounds on everything it claims.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isPyroError, messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { gibibyte, mebibyte } from '../shared/units.ts';
import { TarError } from '../system/tar-header.ts';
import { readTar, type TarItem } from '../system/tar-read.ts';
import { isZstd, unpackZstd } from './zstd.ts';

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
export const longestLayer = 256 * gibibyte;

/** Entries in their order. Throws `image_invalid` or `image_unsupported` with the layer's number. */
export async function* readLayer(source: LayerSource): AsyncGenerator<TarItem> {
  source.signal.throwIfAborted();
  const stream = await openLayer(source.path).catch((error: unknown) => {
    throw asLayerError(error, source.number);
  });
  const onAbort = (): void => {
    stream.destroy(new PyroError('cancelled', 'cancelled'));
  };
  source.signal.addEventListener('abort', onAbort, { once: true });
  const hash = source.onDigest === undefined ? undefined : createHash('sha256');
  let total = 0;
  try {
    yield* readTar(stream, {
      longestExtension,
      // The digest also counts what stands behind the archive's end.
      onChunk: (chunk) => {
        total += chunk.length;
        if (total > longestLayer) throw new TarError(`unpacks to more than ${longestLayer} bytes`);
        hash?.update(chunk);
      },
      failure: (error) => (source.signal.aborted ? source.signal.reason : asLayerError(error, source.number)),
    });
    if (hash !== undefined) source.onDigest?.(`sha256:${hash.digest('hex')}`);
  } finally {
    source.signal.removeEventListener('abort', onAbort);
    stream.destroy();
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

function asLayerError(error: unknown, number: number): unknown {
  // Troubles of the host's own disk are not the image's fault.
  if (/^E[A-Z]+$/.test(systemCodeOf(error) ?? '')) return error;
  if (isPyroError(error) && error.message.startsWith(`layer ${number}: `)) return error;
  const isOurs = isPyroError(error) || error instanceof TarError;
  const isUnsupported = error instanceof TarError ? error.isUnsupported : isPyroError(error, 'image_unsupported');
  const code = isUnsupported ? 'image_unsupported' : 'image_invalid';
  const why = isOurs ? error.message : `does not unpack: ${messageOf(error)}`;
  const hint = isOurs ? error.hint : undefined;
  return new PyroError(code, `layer ${number}: ${why}`, {
    hint: hint ?? 'the image is damaged or hostile, and nothing of it was used; pull another tag or ask its maintainer',
    cause: error,
  });
}
