// Writes checked entries to the host: as files below a fresh private folder, or as one clean archive.
import { constants } from 'node:fs';
import { chmod, copyFile, type FileHandle, link, mkdir, open, symlink } from 'node:fs/promises';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { type NewEntry, padding, tarEnd, writeHeader } from '../system/tar-write.ts';
import { type ExportEntry, hostPath } from './export-entries.ts';
import { pathKey } from './git-paths.ts';

export interface Written {
  readonly type: 'file' | 'directory' | 'symlink';
  readonly entryCount: number;
  readonly bytes: number;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const holeBytes = 65_536;
const zeroes = Buffer.alloc(holeBytes);
const newFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/** `place` must not exist and must have a private parent or name. Links come last: while files are written there is none. */
export async function writeFiles(
  entries: AsyncIterable<ExportEntry>,
  place: string,
  onBytes: (bytes: number, size?: number) => void,
): Promise<Written> {
  const made = new Set<string>();
  const links: ExportEntry[] = [];
  const modes: { path: Buffer; mode: number }[] = [];
  let type: Written['type'] = 'directory';
  let entryCount = 0;
  let bytes = 0;
  for await (const entry of entries) {
    entryCount++;
    bytes += entry.size;
    const path = hostPath(place, entry.parts);
    if (entry.parts.length === 0 && entry.type !== 'directory') type = entry.type === 'symlink' ? 'symlink' : 'file';
    else await makeFolders(place, entry.type === 'directory' ? entry.parts : entry.parts.slice(0, -1), made);
    switch (entry.type) {
      case 'file':
        await writeFile(path, entry, entry.parts.length === 0 ? (bytes) => onBytes(bytes, entry.size) : onBytes);
        break;
      case 'directory':
        modes.push({ path, mode: entry.mode });
        break;
      case 'link':
        await linkFile(hostPath(place, entry.linkParts), path);
        break;
      case 'symlink':
        links.push(entry);
        break;
    }
  }
  for (const entry of links) await symlink(entry.linkTarget, hostPath(place, entry.parts));
  // Deepest first, since a folder may forbid to enter it. The owner always can, or nobody could remove the export.
  modes.sort((a, b) => b.path.length - a.path.length);
  for (const { path, mode } of modes) await chmod(path, mode | 0o700);
  return { type, entryCount, bytes };
}

async function makeFolders(place: string, parts: readonly Buffer[], made: Set<string>): Promise<void> {
  for (let depth = 0; depth <= parts.length; depth++) {
    const path = hostPath(place, parts.slice(0, depth));
    const key = path.toString('latin1');
    if (made.has(key)) continue;
    await mkdir(path, { mode: 0o700 });
    made.add(key);
    // One that the archive does not name itself gets the usual mode.
    if (depth < parts.length) await chmod(path, 0o755);
  }
}

async function writeFile(path: Buffer, entry: ExportEntry, onBytes: (bytes: number) => void): Promise<void> {
  const file = await open(path, newFile, 0o600);
  try {
    await copyWithHoles(file, entry.content(), onBytes);
    await file.chmod(entry.mode);
  } finally {
    await file.close();
  }
}

async function linkFile(target: Buffer, path: Buffer): Promise<void> {
  try {
    await link(target, path);
  } catch (error) {
    if (!['EMLINK', 'EPERM', 'EXDEV', 'ENOTSUP'].includes(systemCodeOf(error) ?? '')) throw error;
    await copyFile(target, path, constants.COPYFILE_EXCL);
  }
}

/** The same entries as an archive that is safe to unpack; `rootName` is for a single file. */
export async function writeArchive(
  entries: AsyncIterable<ExportEntry>,
  place: string,
  rootName: string,
): Promise<Written> {
  let entryCount = 0;
  const file = await open(place, newFile, 0o644);
  try {
    for await (const entry of entries) {
      entryCount++;
      await writeAll(file, writeHeader(headerOf(entry, rootName)));
      await copyInto(file, entry.content());
      await writeAll(file, padding(entry.size));
    }
    await writeAll(file, tarEnd);
    await file.sync();
    return { type: 'file', entryCount, bytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

function headerOf(entry: ExportEntry, rootName: string): NewEntry {
  const { type, mode, size } = entry;
  const isSingle = entry.parts.length === 0 && type !== 'directory';
  const path = pathKey(isSingle ? Buffer.from(rootName) : hostPath('.', entry.parts));
  const linkname = pathKey(type === 'link' ? hostPath('.', entry.linkParts) : entry.linkTarget);
  const name = type === 'directory' ? `${path}/` : path;
  return { name, type, mode, size, linkname, mtime: Date.now() / 1000 };
}

async function copyInto(file: FileHandle, content: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of content) await writeAll(file, chunk);
}

/** Blocks of zeroes stay holes: a sparse file of the guest is one here. */
async function copyWithHoles(
  file: FileHandle,
  content: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let at = 0;
  let end = 0;
  for await (const chunk of content) {
    for (const { from, to } of piecesWithData(chunk)) {
      await writeAll(file, chunk.subarray(from, to), at + from);
      end = at + to;
    }
    at += chunk.length;
    onBytes(chunk.length);
  }
  if (end < at) await file.truncate(at);
}

/** The parts of a chunk between its blocks of zeroes. */
function piecesWithData(chunk: Buffer): { from: number; to: number }[] {
  const pieces: { from: number; to: number }[] = [];
  for (let from = 0; from < chunk.length; from += holeBytes) {
    const to = Math.min(chunk.length, from + holeBytes);
    if (zeroes.compare(chunk, from, to, 0, to - from) === 0) continue;
    const last = pieces.at(-1);
    if (last?.to === from) last.to = to;
    else pieces.push({ from, to });
  }
  return pieces;
}

/** A disk that is nearly full takes a part of a write before it refuses the next one. */
async function writeAll(file: FileHandle, bytes: Buffer, at?: number): Promise<void> {
  let position = at;
  for (let rest = bytes; rest.length > 0; ) {
    const { bytesWritten } = await file.write(rest, 0, rest.length, position ?? null);
    if (position !== undefined) position += bytesWritten;
    if (bytesWritten === 0) throw new PyroError('disk_full', 'the disk is full');
    rest = rest.subarray(bytesWritten);
  }
}
