// Which paths of the host a call may read or write: decided on the path as the file system resolves it.
import { lstat, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { PyroError, systemCodeOf } from '../../shared/errors.ts';
import type { HostPathPolicy } from '../../shared/policy-types.ts';

/**
 * The path with all links resolved. Throws `path_refused` when it lies outside of the folders that the policy names,
 * `usage` when it is not absolute.
 */
export async function permitHostPath(path: string, policy: HostPathPolicy): Promise<string> {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new PyroError('usage', `${JSON.stringify(path)} is not an absolute path of this host`);
  }
  const real = await resolveExisting(resolve(path));
  if (policy === 'any') return real;
  for (const folder of policy.folders) {
    const below = relative(await resolveExisting(folder), real);
    if (below === '' || (below !== '..' && !below.startsWith('../') && !isAbsolute(below))) return real;
  }
  throw new PyroError('path_refused', `${path} is outside of the folders that this server may use`, {
    hint: `choose a path below ${policy.folders.join(' or ')}${allowance(real)}`,
    details: { folders: [...policy.folders] },
  });
}

/** What the person could allow: a folder of somebody's own, never the root, a folder below it, or a whole home. */
function allowance(path: string): string {
  const folder = dirname(path);
  const home = homedir();
  const isBroad = folder.split('/').filter(Boolean).length < 2 || `${home}/`.startsWith(`${folder}/`);
  return isBroad ? '' : `, or let the person who runs the server add: --allow-path ${folder}`;
}

/** Real path of the longest part that exists, with the rest behind it. */
async function resolveExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = systemCodeOf(error);
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(path) === path) throw error;
    // A link that leads nowhere yet could lead anywhere once something is written through it.
    if ((await lstat(path).catch(() => undefined))?.isSymbolicLink() === true) {
      throw new PyroError('path_refused', `${path} is a symbolic link that leads nowhere`, { hint: 'remove the link' });
    }
    return join(await resolveExisting(dirname(path)), basename(path));
  }
}
