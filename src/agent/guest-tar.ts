// Archives that a guest sends: read as any other, with the few kinds of entries that it has to send, and names as bytes.
import { PyroError } from '../shared/errors.ts';
import { TarError } from '../system/tar-header.ts';
import { readTar } from '../system/tar-read.ts';

export interface GuestEntry {
  readonly path: Buffer;
  readonly type: 'file' | 'directory' | 'symlink' | 'link' | 'other';
  readonly mode: number;
  readonly size: number;
  readonly linkTarget: Buffer;
  /** Data of the entry; what is not read is skipped when the next entry is asked for */
  readonly content: () => AsyncIterable<Buffer>;
}

const longestExtension = 64 * 1024;
/** An agent pads an archive to no more than a block of a tape */
const mostBehind = 64 * 1024;

/** Most entries of one archive, also of those that are passed over */
const mostEntries = 4_000_000;

/** Reads an archive to its end. Throws `guest_protocol` for one that is damaged. */
export async function* readGuestTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<GuestEntry> {
  const failure = (error: unknown): unknown =>
    error instanceof TarError ? new PyroError('guest_protocol', `the archive ${error.message}`) : error;
  const rules = { failure, longestExtension, needsEnd: true, takesOther: true, takesHoles: false, mostBehind };
  let entries = 0;
  for await (const { entry, data } of readTar(source, rules)) {
    if (++entries > mostEntries) throw failure(new TarError(`has more than ${mostEntries} entries`));
    const { name, type, mode, size, linkname } = entry;
    yield {
      path: Buffer.from(name, 'latin1'),
      type: type === 'fifo' || type === 'character-device' || type === 'block-device' ? 'other' : type,
      mode,
      size,
      linkTarget: Buffer.from(linkname, 'latin1'),
      content: data,
    };
  }
}
