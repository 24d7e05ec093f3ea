// Unpacks zstd data of any number of frames: Node's decoder ends, silently, behind the first one.
import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { PyroError } from '../shared/errors.ts';
import { ByteReader } from '../system/byte-reader.ts';

const frameMagic = 0xfd2fb528;

/** True for the first four bytes of a zstd file, also one that starts with a frame to skip. */
export function isZstd(magic: number): boolean {
  return magic === frameMagic || isSkippable(magic);
}

export async function* unpackZstd(raw: Readable): AsyncGenerator<Buffer> {
  try {
    const source = new ByteReader(raw, { cutShort });
    for (let magic = await source.take(4); magic !== undefined; magic = await source.take(4)) {
      if (isSkippable(magic.readUInt32LE(0))) {
        await source.skip((await source.need(4)).readUInt32LE(0));
      } else if (magic.readUInt32LE(0) === frameMagic) {
        const frame = Readable.from(readFrame(source, magic), { objectMode: false });
        yield* pipeline(frame, createZstdDecompress({ chunkSize: 256 * 1024 }), () => undefined);
      } else {
        throw new PyroError('image_invalid', 'has bytes between zstd frames that belong to no frame');
      }
    }
  } finally {
    raw.destroy();
  }
}

/** The bytes of one frame, told by its block headers (RFC 8878, section 3.1.1). */
async function* readFrame(source: ByteReader, magic: Buffer): AsyncGenerator<Buffer> {
  const descriptor = await source.need(1);
  const bits = descriptor[0] ?? 0;
  const isSingle = (bits & 0x20) !== 0;
  const contentSize = [isSingle ? 1 : 0, 2, 4, 8][bits >> 6] ?? 0;
  const dictionary = [0, 1, 2, 4][bits & 3] ?? 0;
  yield Buffer.concat([magic, descriptor, await source.need((isSingle ? 0 : 1) + dictionary + contentSize)]);
  for (let isLast = false; !isLast; ) {
    const head = await source.need(3);
    const word = head.readUIntLE(0, 3);
    isLast = (word & 1) === 1;
    // A block of type 1 repeats its one byte.
    const length = ((word >> 1) & 3) === 1 ? 1 : word >> 3;
    yield Buffer.concat([head, await source.need(length)]);
  }
  if ((bits & 4) !== 0) yield await source.need(4);
}

function cutShort(): PyroError {
  return new PyroError('image_invalid', 'ends in the middle of a zstd frame');
}

function isSkippable(magic: number): boolean {
  return magic >= 0x184d2a50 && magic <= 0x184d2a5f;
}
