// Where pyro keeps what: cache, state, configuration and runtime folders.
import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { PyroError } from '../shared/errors.ts';
import { readVariable } from './environment-variables.ts';
import { makeFolder } from './folders.ts';

export interface Paths {
  /** Environments, blobs and templates: can be made again */
  readonly cache: string;
  /** Workspaces and logs: cannot be made again */
  readonly state: string;
  readonly config: string;
  /** Sockets and running guests: gone after a reboot */
  readonly runtime: string;
}

/** Folders of this user; nothing is created. */
export function locatePaths(): Paths {
  const home = readVariable('PYRO_HOME');
  if (home !== undefined) {
    const root = resolve(home);
    return {
      cache: join(root, 'cache'),
      state: join(root, 'state'),
      config: join(root, 'config'),
      runtime: shortRuntime(join(root, 'run')),
    };
  }
  return {
    cache: join(readVariable('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'pyro'),
    state: join(readVariable('XDG_STATE_HOME') ?? join(homedir(), '.local', 'state'), 'pyro'),
    config: join(readVariable('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'pyro'),
    runtime: defaultRuntime(),
  };
}

/** A unix socket's path may have 107 bytes; below this folder stand some 40. */
const longestRuntimePath = 60;

function defaultRuntime(): string {
  const runtime = readVariable('XDG_RUNTIME_DIR');
  return runtime === undefined ? privateTemporary('') : shortRuntime(join(runtime, 'pyro'));
}

function shortRuntime(path: string): string {
  if (Buffer.byteLength(path) <= longestRuntimePath) return path;
  return privateTemporary(`-${createHash('sha256').update(path).digest('hex').slice(0, 10)}`);
}

function privateTemporary(suffix: string): string {
  return join(tmpdir(), `pyro-${userInfo().uid}${suffix}`);
}

/** Creates a folder for this user alone and refuses one that someone else planted. */
export async function ensurePrivateFolder(path: string): Promise<string> {
  await makeFolder(path);
  const status = lstatSync(path);
  if (!status.isDirectory() || status.uid !== userInfo().uid) {
    throw new PyroError('path_not_writable', `${path} is not a folder of this user`, {
      hint: `remove it, or set PYRO_HOME to a folder of your own`,
    });
  }
  if ((status.mode & 0o077) !== 0) await chmod(path, 0o700);
  return path;
}
