// An empty place for the package: a home, a prefix and a runtime folder of its own, and programs that know no other.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

export interface EmptyPlace {
  readonly path: (name: string) => string;
  readonly env: Readonly<Record<string, string>>;
  /** Standard output. Throws with what was said when the program fails, takes too long or is cancelled. */
  readonly run: (file: string, args: readonly string[], options?: RunOptions) => Promise<string>;
  readonly remove: () => void;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly seconds?: number;
  readonly signal?: AbortSignal | undefined;
}

export function openEmptyPlace(): EmptyPlace {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-dist-'));
  const path = (name: string): string => join(folder, name);
  for (const name of ['home', 'run', 'prefix']) mkdirSync(path(name), { mode: 0o700 });
  // Of the user's there is nothing but the Node that runs this, so the user's own daemon is left alone too.
  const folders = [
    dirname(process.execPath),
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/bin',
  ];
  const env = { HOME: path('home'), XDG_RUNTIME_DIR: path('run'), PATH: folders.join(delimiter), LANG: 'C.UTF-8' };
  const run: EmptyPlace['run'] = async (file, args, { cwd = folder, input = '', seconds = 120, signal } = {}) =>
    await new Promise((resolve, reject) => {
      const settings = { cwd, env, signal, timeout: seconds * 1000, maxBuffer: 64 * 1024 * 1024 };
      const child = execFile(file, [...args], settings, (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const why = error.killed === true ? `did not end within ${seconds} s` : `ended with ${error.code}`;
        reject(new Error(`${file} ${args.join(' ')} ${why}\n${stdout}${stderr}`));
      });
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  return { path, env, run, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
