// Where a program is, as the shell would find it.
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { readVariable } from './environment-variables.ts';

/** Absolute path of a program on PATH, ours unless given, or undefined. */
export function findProgram(name: string, path: string = readVariable('PATH') ?? ''): string | undefined {
  const candidates = isAbsolute(name)
    ? [name]
    : path
        .split(delimiter)
        .filter(isAbsolute)
        .map((folder) => join(folder, name));
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not there or not executable: the next folder may have it.
    }
  }
  return undefined;
}
