// The two places of a copy: what is there, and where the copy will be.
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { GuestFiles } from '../../agent/file-types.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import { isPyroError, PyroError, systemCodeOf } from '../../shared/errors.ts';
import type { Workspace } from '../workspace/workspace.ts';

export interface Place {
  /** Absolute, without a trailing slash */
  readonly path: string;
  /** True when a folder is meant, whether or not it exists */
  readonly isFolder: boolean;
  /** True when the contents of the folder are meant */
  readonly isContent: boolean;
}

export function placeOf(words: string, absolute: (words: string) => string): Place {
  const isContent = words === '.' || words.endsWith('/.');
  return { path: absolute(words), isFolder: isContent || words === '' || words.endsWith('/'), isContent };
}

/** Where on the host the copy goes. Throws `export_refused` for a link to a folder, which is ambiguous. */
export async function placeHere(to: Place, from: Place): Promise<string> {
  const standing = await lstat(to.path).catch(() => undefined);
  const behind = await stat(to.path).catch(() => undefined);
  if (standing?.isSymbolicLink() === true && behind?.isDirectory() === true && !to.isFolder) {
    throw linkToFolder(to.path);
  }
  if (to.isFolder && behind !== undefined && !behind.isDirectory()) {
    throw new PyroError('output_exists', `${to.path} is not a folder`, { hint: `leave out the slash to replace it` });
  }
  const base = to.isFolder && behind !== undefined ? await realpath(to.path) : to.path;
  if (from.isContent || !(to.isFolder || standing?.isDirectory() === true)) return await behindLink(base);
  const name = basename(from.path);
  if (name !== '') return await behindLink(join(base, name));
  throw new PyroError('usage', 'the root of the guest has no name', { hint: 'name a folder that does not exist yet' });
}

/** As with `cp`, a link to a file that is itself the target is followed: a person named it. */
async function behindLink(path: string): Promise<string> {
  if ((await lstat(path).catch(() => undefined))?.isSymbolicLink() !== true) return path;
  const behind = await stat(path).catch(() => undefined);
  if (behind?.isDirectory() === true) throw linkToFolder(path);
  if (behind !== undefined) return await realpath(path);
  throw new PyroError('export_refused', `${path} is a link to nothing`, {
    hint: 'remove the link, or copy to the path that it points to',
  });
}

function linkToFolder(path: string): PyroError {
  return new PyroError('export_refused', `${path} is a link to a folder`, {
    hint: `write ${path}/ for the folder that it points to, or remove the link`,
  });
}

/** What a source of the host is: a file or a folder, as it was named. Throws `seed_missing` or `seed_unsupported`. */
export async function statHere(source: string, { path, isFolder }: Place) {
  const status = await stat(source).catch((cause: unknown) => {
    if (systemCodeOf(cause) !== 'ENOENT' && systemCodeOf(cause) !== 'ENOTDIR') throw cause;
    throw new PyroError('seed_missing', `there is no ${path} on this machine`, {
      hint: 'a path of a workspace is written ID:path',
      cause,
    });
  });
  if (status.isFile() ? isFolder : !status.isDirectory()) {
    throw new PyroError('seed_unsupported', `${path} is ${isFolder ? 'not a folder' : 'neither a file nor a folder'}`, {
      hint: 'copy a file or a folder',
    });
  }
  return status;
}

export interface Standing {
  readonly isFolder: boolean;
  /** Permission bits of a file */
  readonly mode: number | undefined;
}

/** What is at a path in the guest; links count as what they point to. */
export async function standingAt(
  workspace: Workspace,
  path: string,
  call: WorkspaceCall,
): Promise<Standing | undefined> {
  return await workspace.use(call, async ({ guest }) => {
    try {
      const files = createGuestFiles(guest.client);
      const { entries } = await files.list({ path, depth: 1, limit: 1 }, call);
      const [first] = entries;
      if (first?.path !== path) return { isFolder: true, mode: undefined };
      if (first.type === 'file') return { isFolder: false, mode: first.mode & 0o777 };
      return { isFolder: false, mode: first.type === 'symlink' ? await modeBehind(files, path, call) : undefined };
    } catch (error) {
      if (isPyroError(error, 'file_missing')) return undefined;
      throw error;
    }
  });
}

/** Mode of the file that a link leads to; undefined where it leads to what is none. */
async function modeBehind(files: GuestFiles, path: string, call: WorkspaceCall): Promise<number | undefined> {
  try {
    return (await files.read({ path, length: 1 }, call)).mode & 0o777;
  } catch (error) {
    if (isPyroError(error, 'not_a_file')) return undefined;
    throw error;
  }
}

export async function refuseFolder(workspace: Workspace, target: string, call: WorkspaceCall): Promise<void> {
  if ((await standingAt(workspace, target, call))?.isFolder !== true) return;
  throw new PyroError('is_a_directory', `${target} is a folder in the guest`, { hint: 'name another file' });
}
