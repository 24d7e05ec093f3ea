// A tree of a guest written to the host: checked entry by entry, never through a link, whole or not at all.
import { constants } from 'node:fs';
import { chmod, link, lstat, mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { temporaryName } from '../system/files.ts';
import { readTar, type TarEntry } from './tar-read.ts';
import { encodeTarHeader, tarEnd, tarPadding } from './tar-write.ts';

export interface ExportOutcome {
  readonly artifact_type: 'file' | 'directory' | 'symlink';
  readonly entry_count: number;
  readonly bytes_written: number;
}

export interface ExportPlan {
  /** Absolute, with links resolved */
  readonly outputPath: string;
  readonly isOverwrite: boolean;
}

const mostEntries = 2_000_000;
const longestPart = 255;

/** Writes files and folders. Throws `output_exists` or `export_refused`. */
export async function exportFiles(archive: Readable, plan: ExportPlan, signal: AbortSignal): Promise<ExportOutcome> {
  return await whole(plan, async (draft) => {
    const writer = new TreeWriter(draft);
    for await (const entry of readTar(archive)) {
      signal.throwIfAborted();
      await writer.write(entry);
    }
    return await writer.finish();
  });
}

/** Writes one tar archive, made anew from checked entries. */
export async function exportTar(archive: Readable, plan: ExportPlan, signal: AbortSignal): Promise<ExportOutcome> {
  return await whole(plan, async (draft) => {
    const file = await open(draft, 'wx', 0o644);
    let entries = 0;
    let bytes = 0;
    try {
      for await (const entry of readTar(archive)) {
        signal.throwIfAborted();
        partsOf(entry);
        if (entry.type === 'other') continue;
        const { path, type, mode, size, linkTarget } = entry;
        const header = { path, type, mode, size, linkTarget, mtimeSeconds: entry.mtimeSeconds };
        await file.write(encodeTarHeader(header));
        for await (const chunk of entry.content()) await file.writeFile(chunk);
        await file.write(tarPadding(size));
        entries++;
        bytes += size;
      }
      await file.write(tarEnd);
      await file.sync();
    } finally {
      await file.close();
    }
    return { artifact_type: 'file', entry_count: entries, bytes_written: bytes };
  });
}

/** Lets something appear at the output path only when it is complete; what stood there goes only then. */
export async function whole<T>(plan: ExportPlan, write: (draft: string) => Promise<T>): Promise<T> {
  const { outputPath, isOverwrite } = plan;
  if (outputPath.split('/').some((part) => part.toLowerCase() === '.git')) {
    throw new PyroError('export_refused', `${outputPath} lies in Git's own folder`, { hint: 'choose another path' });
  }
  const standing = await lstat(outputPath).catch(() => undefined);
  if (standing !== undefined && !isOverwrite) {
    throw new PyroError('output_exists', `${outputPath} is there already`, {
      hint: 'choose another path, or overwrite',
    });
  }
  await mkdir(dirname(outputPath), { recursive: true });
  const draft = join(dirname(outputPath), `.${basename(temporaryName(outputPath))}`);
  try {
    const result = await write(draft);
    if (standing === undefined) {
      await rename(draft, outputPath);
    } else {
      const aside = join(dirname(outputPath), `.${basename(temporaryName(outputPath))}`);
      await rename(outputPath, aside);
      await rename(draft, outputPath);
      await rm(aside, { recursive: true, force: true });
    }
    return result;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Parts of an entry's name. Throws `export_refused` for one that leads elsewhere. */
function partsOf({ path }: TarEntry): Buffer[] {
  const parts: Buffer[] = [];
  for (const text of path.toString('latin1').split('/')) {
    if (text === '' || text === '.') continue;
    if (text === '..' || text.includes('\0') || text.length > longestPart)
      throw refused(path, 'is not a name that is written');
    parts.push(Buffer.from(text, 'latin1'));
  }
  if (path[0] === 0x2f) throw refused(path, 'is absolute');
  return parts;
}

class TreeWriter {
  readonly #root: string;
  /** What stands below the root by now, by name: only real folders are written into */
  readonly #made = new Map<string, 'file' | 'directory' | 'symlink'>();
  readonly #modes: [path: Buffer, mode: number][] = [];
  #entries = 0;
  #bytes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async write(entry: TarEntry): Promise<void> {
    if (entry.type === 'other') return;
    if (++this.#entries > mostEntries) throw refused(entry.path, `is entry ${mostEntries + 1} of the tree`);
    const parts = partsOf(entry);
    if (parts.length > 0) await this.#makeFolders(parts.slice(0, -1), entry);
    const key = keyOf(parts);
    const at = this.#absolute(parts);
    const standing = this.#made.get(key);
    if (entry.type === 'directory') {
      if (standing === undefined) await mkdir(at, { mode: 0o700 });
      else if (standing !== 'directory') throw refused(entry.path, 'comes twice');
      this.#made.set(key, 'directory');
      this.#modes.push([at, entry.mode & 0o777]);
      return;
    }
    if (standing !== undefined) throw refused(entry.path, 'comes twice');
    if (entry.type === 'symlink') await symlink(entry.linkTarget, at);
    else if (entry.type === 'link') await this.#hardLink(entry, at);
    else await this.#file(entry, at);
    this.#made.set(key, entry.type === 'symlink' ? 'symlink' : 'file');
  }

  async finish(): Promise<ExportOutcome> {
    // The deepest first: a folder that may not be written is closed last.
    for (const [path, mode] of this.#modes.reverse()) await chmod(path, mode);
    const type = this.#made.get('');
    if (type === undefined) throw new PyroError('guest_protocol', 'the guest sent an empty archive');
    return { artifact_type: type, entry_count: this.#entries, bytes_written: this.#bytes };
  }

  async #file(entry: TarEntry, at: Buffer): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(at, flags, 0o600);
    try {
      for await (const chunk of entry.content()) {
        await file.writeFile(chunk);
        this.#bytes += chunk.length;
      }
      // Neither set-user-id nor the like leaves the guest.
      await file.chmod(entry.mode & 0o777);
    } finally {
      await file.close();
    }
  }

  async #hardLink(entry: TarEntry, at: Buffer): Promise<void> {
    const parts = partsOf({ ...entry, path: entry.linkTarget });
    if (this.#made.get(keyOf(parts)) !== 'file') throw refused(entry.path, 'is a hard link to no file of the tree');
    await link(this.#absolute(parts), at);
  }

  async #makeFolders(parts: readonly Buffer[], entry: TarEntry): Promise<void> {
    for (let depth = 0; depth <= parts.length; depth++) {
      const folder = parts.slice(0, depth);
      const standing = this.#made.get(keyOf(folder));
      if (standing === 'directory') continue;
      if (standing !== undefined) throw refused(entry.path, 'lies below something that is no folder');
      await mkdir(this.#absolute(folder), { mode: 0o755 });
      this.#made.set(keyOf(folder), 'directory');
    }
  }

  #absolute(parts: readonly Buffer[]): Buffer {
    return Buffer.concat([Buffer.from(this.#root), ...parts.flatMap((part) => [Buffer.from('/'), part])]);
  }
}

function keyOf(parts: readonly Buffer[]): string {
  return parts.map((part) => part.toString('latin1')).join('/');
}

function refused(path: Buffer, why: string): PyroError {
  const name = JSON.stringify(path.toString('utf8').slice(0, 200));
  return new PyroError('export_refused', `the guest sent ${name}, which ${why}`, {
    hint: 'nothing was written; look at the tree in the guest',
  });
}
