// The path that a diff is held to, checked, relative to /workspace.
import { PyroError } from '../shared/errors.ts';
import { workspaceFolder } from './git-paths.ts';

/** Bytes of the path below /workspace; none for all of it. Throws `usage` for one that leads elsewhere. */
export function pathBelow(path: string | undefined): Buffer {
  const parts = (path ?? workspaceFolder).split('/').filter((part) => part !== '' && part !== '.');
  const isAbsolute = path === undefined || path.startsWith('/');
  if (parts.includes('..') || (isAbsolute && `/${parts[0] ?? ''}` !== workspaceFolder))
    throw new PyroError('usage', `${path} is not at or below ${workspaceFolder}`, {
      hint: `give a path such as ${workspaceFolder}/src`,
    });
  return Buffer.from((isAbsolute ? parts.slice(1) : parts).join('/'));
}

/** True for the path itself and what is below it. */
export function isBelow(candidate: Buffer, path: Buffer): boolean {
  if (path.length === 0) return true;
  if (!candidate.subarray(0, path.length).equals(path)) return false;
  return candidate.length === path.length || candidate[path.length] === 0x2f;
}
