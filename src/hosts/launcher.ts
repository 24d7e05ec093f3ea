// How a chat host starts this very pyro: by its absolute path, since a host knows another PATH than the shell that connects it.
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { locateExecutable } from '../system/executable.ts';
import { exists } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { type Launcher, npxLauncher } from './server-command.ts';

/** Where every host looks for programs, whoever starts it and from where. */
export const plainPath = '/usr/local/bin:/usr/bin:/bin';

export async function chooseLauncher(isNpx: boolean): Promise<Launcher> {
  const executable = locateExecutable();
  if (isNpx || executable.isPassing) return npxLauncher;
  if (executable.isScript) return [executable.path];
  // An installed package is a script of Node, and that is where only some shells find it (nvm, volta, a tarball).
  return (await isPlainNode()) ? [executable.path] : [process.execPath, executable.path];
}

/** True when the Node that runs this stands where every host finds it. */
async function isPlainNode(): Promise<boolean> {
  for (const folder of plainPath.split(':')) {
    const path = join(folder, 'node');
    if (findProgram(path) === undefined) continue;
    return (await realpath(path)) === (await realpath(process.execPath));
  }
  return false;
}

/** The file of a launcher that is pyro itself, behind the Node that runs it. */
export async function programOf(launcher: readonly string[]): Promise<string | undefined> {
  const word = launcher.at(-1) ?? '';
  const found = findProgram(word);
  return found ?? (launcher.length > 1 && (await exists(word)) ? word : undefined);
}
