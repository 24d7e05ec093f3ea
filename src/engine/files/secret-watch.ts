// Notices secrets in files that are about to leave: files leave unchanged or not at all, and no secret is written here.
import { Readable } from 'node:stream';
import type { Change, GuestFiles } from '../../agent/file-types.ts';
import { readGuestTar } from '../../agent/guest-tar.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { PyroError } from '../../shared/errors.ts';
import { padding, tarEnd, writeHeader } from '../../system/tar-write.ts';

export class SecretWatch {
  readonly #secrets: SecretSet;
  readonly #below: string;
  readonly #paths = new Set<string>();

  /** Only what is at or below a path counts, relative to the scope; everything with an empty one. */
  constructor(secrets: SecretSet, below: string) {
    this.#secrets = secrets;
    this.#below = below;
  }

  /** The same files, watched. */
  files(files: GuestFiles): GuestFiles {
    return {
      ...files,
      changes: (request, call) => this.#changes(files.changes(request, call)),
      pack: async (request, call) =>
        Readable.from(this.#archive(await files.pack(request, call)), { objectMode: false }),
    };
  }

  /** Throws `secret_in_output` when something was noticed. Either way of reading ends with it. */
  #assertClean(): void {
    if (this.#paths.size === 0) return;
    const paths = [...this.#paths].map((path) => this.#secrets.maskText(path));
    throw new PyroError(
      'secret_in_output',
      `these files contain the value of a secret: ${paths.slice(0, 10).join(', ')}`,
      {
        hint: 'remove it from these files, or leave them out with a narrower path',
        details: { paths: paths.slice(0, 100) },
      },
    );
  }

  async *#changes(changes: AsyncIterable<Change>): AsyncGenerator<Change> {
    for await (const change of changes) {
      if (this.#secrets.isIn(change.path)) this.#notice(change.path);
      yield {
        ...change,
        contentBefore: () => this.#content(change.path, change.contentBefore()),
        contentAfter: () => this.#content(change.path, change.contentAfter()),
      };
    }
    this.#assertClean();
  }

  /** The archive rebuilt, cut off before its end if a secret was in it. */
  async *#archive(archive: Readable): AsyncGenerator<Buffer> {
    const mtime = Date.now() / 1000;
    for await (const entry of readGuestTar(archive)) {
      const { path, type, mode, size, linkTarget } = entry;
      if (this.#secrets.isIn(path) || this.#secrets.isIn(linkTarget)) this.#notice(path);
      const [name, linkname] = [path.toString('latin1'), linkTarget.toString('latin1')];
      yield writeHeader({ name, type, mode, size: type === 'other' ? 0 : size, linkname, mtime });
      if (type === 'other') continue;
      yield* this.#content(path, entry.content());
      yield padding(size);
    }
    this.#assertClean();
    yield tarEnd;
  }

  /** The content with stars for secrets: the unfinished archive is on a disk of the host, and gets no further. */
  async *#content(path: Buffer, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const redactor = this.#secrets.redactor();
    for await (const chunk of content) {
      const shown = redactor.push(chunk);
      if (shown.length > 0) yield shown;
    }
    const rest = redactor.end();
    if (redactor.hasFound) this.#notice(path);
    if (rest.length > 0) yield rest;
  }

  #notice(path: Buffer): void {
    const name = path.toString('utf8');
    if (this.#below === '' || name === this.#below || name.startsWith(`${this.#below}/`)) this.#paths.add(name);
  }
}
