// What of a folder goes into a workspace: in a checkout what Git tracks or does not ignore, elsewhere everything.
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { git, gitLine, splitZero } from './git.ts';
import type { ItemType, Listing, RepositoryPlace, SeedItem, SeedRequest } from './project-types.ts';

const slash = Buffer.from('/');
const gitName = Buffer.from('.git');
const mostItems = 2_000_000;

/** Everything that goes in, each folder before what is in it. Throws `seed_missing` or `seed_unsupported`. */
export async function listFolder(request: SeedRequest, signal: AbortSignal): Promise<Listing> {
  const collector = new Collector(request.path, signal);
  const top = await gitLine(request.path, ['rev-parse', '--show-toplevel'], signal);
  if (top === undefined) await collector.addFolder(Buffer.alloc(0));
  else await collector.addRepository(Buffer.alloc(0), top === request.path);
  for (const include of request.includes) await collector.addIncluded(include);
  return collector.listing(top === request.path ? 'git' : 'directory');
}

class Collector {
  readonly #root: string;
  readonly #signal: AbortSignal;
  readonly #items = new Map<string, SeedItem>();
  readonly #repositories: RepositoryPlace[] = [];
  readonly #leftOut: Record<string, number> = { ignored: 0, special: 0 };

  constructor(root: string, signal: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  listing(mode: Listing['mode']): Listing {
    const items = [...this.#items.values()].sort((a, b) => Buffer.compare(a.path, b.path));
    return { mode, root: this.#root, items, repositories: this.#repositories, leftOut: this.#leftOut };
  }

  /** A work tree, or with `hasHistory` false a part of one, by the rules of its own ignore files. */
  async addRepository(prefix: Buffer, hasHistory: boolean): Promise<void> {
    const root = this.#absolute(prefix).toString('utf8');
    if (hasHistory) this.#repositories.push({ path: prefix, root });
    if (prefix.length > 0) this.#add(prefix);
    const list = async (...what: string[]): Promise<Buffer[]> =>
      splitZero(await git(root, ['ls-files', '-z', ...what, '--', '.'], { signal: this.#signal }));
    const [paths, ignored] = await Promise.all([
      list('--cached', '--others', '--exclude-standard', '--deduplicate'),
      list('--others', '--ignored', '--exclude-standard', '--directory'),
    ]);
    for (const path of paths) {
      const isNested = path.at(-1) === 0x2f;
      const full = join(prefix, isNested ? path.subarray(0, -1) : path);
      const status = this.#status(full);
      if (status === undefined) continue;
      this.#addParents(full, prefix);
      // A folder in the list of files is a repository of its own: a submodule, or one that nobody has added.
      if (!status.isDirectory()) this.#addStatus(full, status);
      else if (this.#status(join(full, gitName)) === undefined) this.#add(full);
      else await this.addRepository(full, true);
    }
    this.#leftOut['ignored'] = (this.#leftOut['ignored'] ?? 0) + ignored.length;
  }

  /** Everything in a folder; checkouts in it come as such. */
  async addFolder(prefix: Buffer): Promise<void> {
    this.#signal.throwIfAborted();
    if (prefix.length > 0) this.#add(prefix);
    const entries = readdirSync(this.#absolute(prefix), { encoding: 'buffer' });
    if (prefix.length > 0 && entries.some((name) => name.equals(gitName))) {
      await this.addRepository(prefix, true);
      return;
    }
    for (const name of entries) {
      const path = join(prefix, name);
      const status = this.#status(path);
      if (status?.isDirectory() === true) await this.addFolder(path);
      else if (status !== undefined) this.#addStatus(path, status);
    }
  }

  /** An ignored path that a person wants in. */
  async addIncluded(include: string): Promise<void> {
    const path = Buffer.from(include.replace(/\/+$/, ''));
    if (include.startsWith('/') || include.split('/').includes('..')) {
      throw new PyroError('seed_invalid', `${include} is not a path below the project`, {
        hint: 'give paths relative to the project, such as node_modules',
      });
    }
    const status = this.#status(path);
    if (status === undefined) return;
    this.#addParents(path, Buffer.alloc(0));
    if (status.isDirectory()) await this.addFolder(path);
    else this.#addStatus(path, status);
  }

  #addParents(path: Buffer, prefix: Buffer): void {
    for (let at = path.indexOf(slash, prefix.length + 1); at > 0; at = path.indexOf(slash, at + 1)) {
      const parent = path.subarray(0, at);
      if (!this.#items.has(parent.toString('latin1'))) this.#add(parent);
    }
  }

  #add(path: Buffer): void {
    const status = this.#status(path);
    if (status !== undefined) this.#addStatus(path, status);
  }

  #addStatus(path: Buffer, status: Stats): void {
    const type = typeOf(status);
    if (type === undefined) {
      this.#leftOut['special'] = (this.#leftOut['special'] ?? 0) + 1;
      return;
    }
    if (this.#items.size >= mostItems) {
      throw new PyroError('seed_too_large', `${this.#root} has more than ${mostItems} entries`, {
        hint: 'ignore what is not needed, for example build output',
      });
    }
    const size = type === 'directory' ? 0 : status.size;
    const stamp = `${status.mtimeMs},${status.ctimeMs},${status.ino},${status.dev}`;
    const item = { path, type, mode: status.mode & 0o7777, size, stamp: type === 'directory' ? '' : stamp };
    this.#items.set(path.toString('latin1'), item);
  }

  #absolute(path: Buffer): Buffer {
    return path.length === 0 ? Buffer.from(this.#root) : join(Buffer.from(this.#root), path);
  }

  /** Undefined for what is not there, such as a file that Git tracks and somebody has deleted. */
  #status(path: Buffer): Stats | undefined {
    try {
      return lstatSync(this.#absolute(path));
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }
}

function join(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, slash, name]);
}

function typeOf(status: Stats): ItemType | undefined {
  if (status.isFile()) return 'file';
  if (status.isDirectory()) return 'directory';
  return status.isSymbolicLink() ? 'symlink' : undefined;
}
