// The one reader of tar: a stream of entries with every byte of their names, and with bounds on all that it claims.
import { Turns } from '../shared/turns.ts';
import { ByteReader } from './byte-reader.ts';
import {
  blockSize,
  type Extension,
  type RawHeader,
  readEntry,
  readPax,
  readRawHeader,
  shown,
  type TarEntry,
  TarError,
} from './tar-header.ts';
import { fillHoles, mostHoles, readStored } from './tar-sparse.ts';

export interface TarItem {
  readonly entry: TarEntry;
  /** The entry's data; what is left unread is skipped */
  readonly data: () => AsyncGenerator<Buffer>;
}

export interface TarRules {
  /** What reader and data throw in place of a {@link TarError} or of what the source threw */
  readonly failure: (error: unknown) => unknown;
  /** Most that an extended header may have, `bytes` */
  readonly longestExtension: number;
  /** True where an archive without its end is one cut short */
  readonly needsEnd?: boolean;
  /** True where entries of kinds that nobody knows come through, as `other` */
  readonly takesOther?: boolean;
  /** False where a file with holes is none that anybody would send: a few bytes that stand for very many */
  readonly takesHoles?: boolean;
  /** Most that may follow the end of the archive, `bytes`; as much as there is where it is absent */
  readonly mostBehind?: number;
  /** Sees each chunk of the source once, in order, also what stands behind the archive */
  readonly onChunk?: (chunk: Buffer) => void;
}

/** Extended headers before one entry: a name, a target and records make three */
const mostExtensions = 16;

const plain: Extension = { records: new Map(), longName: undefined, longLink: undefined };

/** Entries in their order. The source is read to its end, since its sender may pad it. */
export async function* readTar(source: AsyncIterable<Uint8Array>, rules: TarRules): AsyncGenerator<TarItem> {
  const { failure, onChunk } = rules;
  const cutShort = (): TarError => new TarError('ends in the middle of an entry');
  const bytes = new ByteReader(source, { cutShort, ...(onChunk === undefined ? {} : { onChunk }) });
  try {
    for await (const { entry, data } of entriesOf(bytes, rules)) {
      // The data fails in its reader's hands, not in ours.
      yield { entry, data: () => named(data(), failure) };
    }
    await drain(bytes, rules.mostBehind);
  } catch (error) {
    throw failure(error);
  } finally {
    await bytes.close();
  }
}

async function drain(bytes: ByteReader, most = Number.POSITIVE_INFINITY): Promise<void> {
  let behind = 0;
  for (let part = await bytes.some(most); part !== undefined; part = await bytes.some(most)) {
    behind += part.length;
    if (behind > most) throw new TarError('goes on behind its end');
  }
}

async function* named(data: AsyncGenerator<Buffer>, failure: TarRules['failure']): AsyncGenerator<Buffer> {
  try {
    yield* data;
  } catch (error) {
    throw failure(error);
  }
}

async function* entriesOf(bytes: ByteReader, rules: TarRules): AsyncGenerator<TarItem> {
  let extension = plain;
  let holes = 0;
  let extensions = 0;
  const turns = new Turns();
  for (;;) {
    if (turns.isOver) await turns.next();
    const block = rules.needsEnd === true ? await bytes.need(blockSize) : await bytes.take(blockSize);
    const header = block === undefined ? undefined : readRawHeader(block);
    if (header === undefined) return;
    if (/[xgLK]/.test(header.flag)) {
      if (++extensions > mostExtensions) throw new TarError('has extended headers and no entry behind them');
      extension = await readExtension(bytes, header, extension, rules.longestExtension);
      continue;
    }
    const entry = readEntry(header, extension, rules.takesOther);
    const { size, pieces } = await readStored(bytes, header, { records: extension.records, entry });
    extension = plain;
    extensions = 0;
    if (pieces !== undefined && rules.takesHoles === false) throw new TarError('has a file with holes');
    holes += entry.size - size;
    if (holes > mostHoles) {
      throw new TarError(`${shown(entry.name)} is a file of ${entry.size} bytes, nearly all holes`, {
        isUnsupported: true,
        hint: 'build the image without it; large user ids make /var/log/lastlog grow like this (useradd --no-log-init)',
      });
    }
    let left = size;
    const some = async (most: number): Promise<Buffer> => {
      const piece = await bytes.next(Math.min(most, left));
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

async function readExtension(
  bytes: ByteReader,
  { flag, size }: RawHeader,
  extension: Extension,
  most: number,
): Promise<Extension> {
  if (size > most) throw new TarError('has an extended header that is too long');
  const body = await bytes.need(size);
  await bytes.skip(padded(size) - size);
  if (flag === 'x') return { ...extension, records: readPax(body) };
  if (flag === 'L') return { ...extension, longName: untilZero(body) };
  if (flag === 'K') return { ...extension, longLink: untilZero(body) };
  // Global headers carry comments of tools such as git archive; container tools ignore them as well.
  return extension;
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}
