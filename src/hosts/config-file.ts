// Files that belong to someone else: read with their byte order mark, mode and links, written whole with a backup beside them.
import { isUtf8 } from 'node:buffer';
import type { Stats } from 'node:fs';
import { chmod, chown, copyFile, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { whereLinksLead, writeFileAtomic } from '../system/files.ts';

export interface ConfigFile {
  /** As the host names it */
  readonly path: string;
  /** Where a link leads */
  readonly realPath: string;
  /** Without the byte order mark; empty for a file that is not there */
  readonly text: string;
  readonly hasMark: boolean;
  readonly exists: boolean;
  /** Permission bits; of a file that is not there, those it gets */
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

const mark = '\uFEFF';

/** Throws `path_not_writable` for a file that cannot be read. */
export async function readConfigFile(path: string, newMode: number): Promise<ConfigFile> {
  const realPath = await whereLinksLead(path);
  try {
    const { mode, uid, gid } = await statusOf(path, realPath);
    const bytes = await readFile(realPath);
    if (!isUtf8(bytes)) {
      throw new PyroError('host_config_invalid', `${path} is not UTF-8, so it cannot be edited without loss`, {
        hint: `convert it first, for example with: iconv -f latin1 -t utf-8 ${path}`,
      });
    }
    const text = bytes.toString('utf8');
    const hasMark = text.startsWith(mark);
    const owner = { uid, gid };
    return { path, realPath, text: hasMark ? text.slice(1) : text, hasMark, exists: true, mode: mode & 0o7777, owner };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return { path, realPath, text: '', hasMark: false, exists: false, mode: newMode, owner: undefined };
    }
    if (code === 'EACCES') {
      throw new PyroError('path_not_writable', `${path} cannot be read (${code})`, {
        hint: `chmod u+rw ${path}`,
        cause: error,
      });
    }
    throw error;
  }
}

/** A link to /dev/null must not have that replaced, and a pipe never comes to its end. */
async function statusOf(path: string, realPath: string): Promise<Stats> {
  const status = await stat(realPath);
  if (status.isFile()) return status;
  const what = status.isDirectory() ? 'a folder' : 'not a file but a device or a pipe';
  throw new PyroError('path_not_writable', `${path} is ${what}`, { hint: `move ${path} away` });
}

/** Writes new text where the old one stands, with what belongs to the file; gives the backup. Throws `path_not_writable`. */
export async function writeConfigFile(file: ConfigFile, text: string): Promise<string | null> {
  if (file.exists && (file.mode & 0o200) === 0) {
    throw new PyroError('path_not_writable', `${file.path} is read-only, so it is left as it is`, {
      hint: `if it is yours to change: chmod u+w ${file.realPath}; otherwise put the entry where the file is generated`,
    });
  }
  try {
    const backup = await backUp(file);
    await writeFileAtomic(file.realPath, `${file.hasMark ? mark : ''}${text}`, file.mode);
    // The mask of this process must not take away what the file had.
    await chmod(file.realPath, file.mode);
    await keepOwner(file);
    return backup;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    throw new PyroError('path_not_writable', `${file.path} cannot be written (${code})`, {
      hint: `check the permissions of the folder ${dirname(file.realPath)}, and whether its disk has room`,
      cause: error,
    });
  }
}

/** Copies the file aside as it is now, in place of the backup before; null for a file that is not there. */
async function backUp(file: ConfigFile): Promise<string | null> {
  if (!file.exists) return null;
  const folder = dirname(file.realPath);
  const prefix = `${basename(file.realPath)}.pyro-backup-`;
  const earlier = (await readdir(folder)).filter((name) => name.startsWith(prefix));
  const backup = join(folder, `${prefix}${new Date().toISOString().replaceAll(/[-:]/g, '')}`);
  await copyFile(file.realPath, backup);
  await chmod(backup, file.mode & 0o700);
  for (const name of earlier) await rm(join(folder, name), { force: true });
  return backup;
}

async function keepOwner({ realPath, owner }: ConfigFile): Promise<void> {
  if (owner === undefined) return;
  const { uid, gid } = await stat(realPath);
  if (uid === owner.uid && gid === owner.gid) return;
  await chown(realPath, owner.uid, owner.gid).catch((error: unknown) => {
    // Only root can give a file away; anyone else could not have replaced it for another user either.
    if (systemCodeOf(error) !== 'EPERM') throw error;
  });
}
