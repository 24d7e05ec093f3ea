// How a chat host starts this very pyro: by name where PATH finds it, by its path elsewhere, by npx where it is not installed.
import { realpath } from 'node:fs/promises';
import { findProgram } from '../system/command.ts';
import { locateExecutable } from '../system/executable.ts';
import { type Launcher, npxLauncher } from './server-command.ts';

export async function chooseLauncher(isNpx: boolean): Promise<Launcher> {
  const executable = locateExecutable();
  if (isNpx || executable.isPassing) return npxLauncher;
  const found = await findProgram('pyro');
  if (found !== undefined && (await realpath(found)) === executable.realPath) return ['pyro'];
  return [executable.path];
}
