// Where this pyro is: what someone else has to run to get the same program.
import { existsSync, realpathSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Executable {
  /** Absolute path to run */
  readonly path: string;
  /** The same with every link resolved, to compare */
  readonly realPath: string;
  /** True when a package runner put it into its cache, where it does not stay */
  readonly isPassing: boolean;
  /** True for the launcher of a checkout, which finds its Node by itself */
  readonly isScript: boolean;
}

/** The launcher of a checkout, the link that a package manager made, or the bundle itself. */
export function locateExecutable(invokedAs: string | undefined = process.argv[1]): Executable {
  const places = ['./main.js', '../main.js', '../../dist/main.js'].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  );
  const bundle = places.find((path) => existsSync(path)) ?? resolve(invokedAs ?? 'pyro');
  const launcher = join(bundle, '..', '..', 'bin', 'pyro');
  const link =
    invokedAs !== undefined && basename(invokedAs) === 'pyro' && existsSync(invokedAs) ? invokedAs : undefined;
  const isScript = existsSync(launcher);
  const path = isScript ? launcher : resolve(link ?? bundle);
  return { path, realPath: realpathSync(path), isPassing: /\/(_npx|dlx[^/]*)\//.test(path), isScript };
}
