// How the daemon is started: this Node, this executable, this version.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PyroError } from '../shared/errors.ts';
import { locatePaths, type Paths } from '../system/paths.ts';
import { version } from '../version.ts';

/** Short-lived objects are cleared away before there are many of them: the daemon stays for hours beside guests that need the memory. */
const thrift = ['--max-semi-space-size=4'];

export interface DaemonProgram {
  /** Program and arguments; `--ready-fd 3` is added */
  readonly command: readonly string[];
  readonly version: string;
  readonly paths: Paths;
}

/** The executable beside this code, bundled (`dist/main.js`, also from `dist/chunks/`) or as source. */
export function defaultProgram(): DaemonProgram {
  const candidates = ['./main.js', '../main.js', '../main.ts'].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  );
  const main = candidates.find((path) => existsSync(path));
  if (main === undefined) throw new PyroError('internal', 'the executable is not next to this code');
  return { command: [process.execPath, ...thrift, main, 'daemon', 'serve'], version, paths: locatePaths() };
}
