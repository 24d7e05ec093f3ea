// Collects what goes in, path by path: never through a link, never a socket or device, each path once.
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import type { ItemType, LeftOutCounts, SeedItem } from './project-types.ts';
import { nothingLeftOut } from './project-types.ts';

/** What stands for an item's content in the key: Git's index, the content itself, or inode, size and times. */
export type Proof = 'index' | 'content' | 'stamp';

export interface CollectedItem extends SeedItem {
  readonly proof: Proof;
}

/** Its paths are made when they are asked for: a monorepo has hundreds of thousands of items. */
class Item implements CollectedItem {
  readonly type: ItemType;
  readonly mode: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
  readonly proof: Proof;
  readonly #root: Buffer;
  readonly #key: string;

  constructor(root: Buffer, key: string, type: ItemType, stat: Stats, proof: Proof) {
    this.type = type;
    this.mode = stat.mode & 0o7777;
    this.size = type === 'directory' ? 0 : stat.size;
    this.mtimeMs = stat.mtimeMs;
    this.ctimeMs = stat.ctimeMs;
    this.inode = stat.ino;
    this.proof = proof;
    this.#root = root;
    this.#key = key;
  }

  get path(): Buffer {
    return Buffer.from(this.#key, 'latin1');
  }

  get absolute(): Buffer {
    return Buffer.concat([this.#root, Buffer.from(`/${this.#key}`, 'latin1')]);
  }
}

/** Called for a folder that has a `.git`; true when it was taken in as a repository. */
export type OnRepository = (path: string) => Promise<boolean>;

const plainText = /^[ -~]*$/;

export class ItemCollector {
  /** By path as latin1, so that any byte survives */
  readonly items = new Map<string, CollectedItem>();
  readonly leftOut: LeftOutCounts = { ...nothingLeftOut };
  readonly #root: Buffer;
  readonly #rootText: string;
  readonly #signal: AbortSignal;
  readonly #folders = new Map<string, boolean>([['', true]]);
  #sinceTurn = 0;

  constructor(root: string, signal: AbortSignal) {
    this.#rootText = root === '/' ? '' : root;
    this.#root = Buffer.from(this.#rootText);
    this.#signal = signal;
  }

  /** Takes one path and the folders above it; undefined when nothing that goes in stands there. */
  async add(path: string, proof: Proof): Promise<CollectedItem | undefined> {
    checkPath(path);
    const known = this.items.get(path);
    if (known !== undefined) return known;
    // Waiting here lets other work of this process go on while a big tree is looked through.
    if (++this.#sinceTurn % 500 === 0) await nextTurn();
    this.#signal.throwIfAborted();
    const end = path.lastIndexOf('/');
    if (!this.#addFolder(end < 0 ? '' : path.slice(0, end))) return undefined;
    return this.#take(path, proof);
  }

  /** Takes a path with everything below it. A repository on the way is given to `onRepository`; its `.git` never goes in. */
  async addTree(path: string, proof: Proof, onRepository: OnRepository): Promise<void> {
    if (path !== '') {
      const item = await this.add(path, proof);
      if (item?.type !== 'directory') return;
    }
    let names: string[];
    try {
      names = readdirSync(this.absolute(path), { encoding: 'latin1' }).sort();
    } catch (error) {
      throw unreadable(path, error);
    }
    if (names.includes('.git')) {
      if (await onRepository(path)) return;
      this.leftOut.git_folders++;
    }
    for (const name of names) {
      if (name !== '.git') await this.addTree(path === '' ? name : `${path}/${name}`, proof, onRepository);
    }
  }

  absolute(path: string): Buffer {
    return Buffer.concat([this.#root, Buffer.from(`/${path}`, 'latin1')]);
  }

  #addFolder(path: string): boolean {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const end = path.lastIndexOf('/');
    const isFolder =
      this.#addFolder(end < 0 ? '' : path.slice(0, end)) && this.#take(path, 'index', true) !== undefined;
    this.#folders.set(path, isFolder);
    return isFolder;
  }

  #take(path: string, proof: Proof, isFolderOnly = false): CollectedItem | undefined {
    let stat: Stats | undefined;
    try {
      // Text is looked up quicker than bytes, where both mean the same.
      const name = plainText.test(path) ? `${this.#rootText}/${path}` : this.absolute(path);
      stat = lstatSync(name, { throwIfNoEntry: false });
    } catch (error) {
      if (systemCodeOf(error) === 'ENOTDIR') return undefined;
      throw unreadable(path, error);
    }
    if (stat === undefined) return undefined;
    const type = typeOf(stat);
    // A link in a folder's place is Git's to report: it goes in only when it is itself tracked or untracked.
    if (isFolderOnly && type !== 'directory') return undefined;
    if (type === undefined) {
      this.leftOut.special++;
      return undefined;
    }
    const item = new Item(this.#root, path, type, stat, proof);
    this.items.set(path, item);
    return item;
  }
}

function typeOf(stat: Stats): ItemType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'symlink' : undefined;
}

/** An index that someone forged could name files outside the checkout. */
function checkPath(path: string): void {
  if (/(^|\/)(\.{0,2}|\.git)(\/|$)|\0/i.test(path)) {
    throw new PyroError('seed_invalid', `the project has a path that cannot go in: ${JSON.stringify(path)}`, {
      hint: 'look for it with: git ls-files',
    });
  }
}

function unreadable(path: string, cause: unknown): PyroError {
  return new PyroError('seed_invalid', `cannot read ${JSON.stringify(path)} in the project: ${messageOf(cause)}`, {
    hint: 'make it readable for this user, or have Git ignore it',
    cause,
  });
}
