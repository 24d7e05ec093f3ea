// Writes checked entries to the host: as files below a fresh private folder, or as one clean archive.
import { constants } from 'node:fs';
import { chmod, copyFile, type FileHandle, link, mkdir, open, symlink } from 'node:fs/promises';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { type ExportEntry, hostPath } from './export-entries.ts';
import { encodeTarHeader, tarEnd, tarPadding } from './tar-write.ts';

export interface Written {
  readonly type: 'file' | 'directory' | 'symlink';
  readonly entryCount: number;
  readonly bytes: number;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const newFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/** `place` must not exist and must have a private parent or name. Links come last: while files are written there is none. */
export async function writeFiles(entries: AsyncIterable<ExportEntry>, place: string): Promise<Written> {
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
        await writeFile(path, entry);
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

async function writeFile(path: Buffer, entry: ExportEntry): Promise<void> {
  const file = await open(path, newFile, 0o600);
  try {
    await copyInto(file, entry.content());
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
      await writeAll(file, encodeTarHeader(headerOf(entry, rootName)));
      await copyInto(file, entry.content());
      await writeAll(file, tarPadding(entry.size));
    }
    await writeAll(file, tarEnd);
    await file.sync();
    return { type: 'file', entryCount, bytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

function headerOf(entry: ExportEntry, rootName: string) {
  const { type, mode, size } = entry;
  const isSingle = entry.parts.length === 0 && type !== 'directory';
  const path = isSingle ? Buffer.from(rootName) : hostPath('.', entry.parts);
  const linkTarget = type === 'link' ? hostPath('.', entry.linkParts) : entry.linkTarget;
  return { path, type, mode, size, linkTarget, mtimeSeconds: Date.now() / 1000 };
}

async function copyInto(file: FileHandle, content: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of content) await writeAll(file, chunk);
}

/** A disk that is nearly full takes a part of a write before it refuses the next one. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let rest = bytes; rest.length > 0; ) {
    const { bytesWritten } = await file.write(rest);
    if (bytesWritten === 0) throw new PyroError('disk_full', 'the disk takes no more bytes');
    rest = rest.subarray(bytesWritten);
  }
}
