// What is looked at on this machine for its package managers: programs, files, variables, names and single pages.
import { lookup } from 'node:dns/promises';
import { readdir, readFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { tryCommand } from '../system/command.ts';
import { readVariable, readVariableOfEitherCase, type VariableName } from '../system/environment-variables.ts';
import { findProgram } from '../system/find-program.ts';
import { type FetchOptions, fetchText } from './host-fetch.ts';

/** What readers of settings see of this machine; tests put their own in its place. */
export interface HostSettings {
  /** Output of a program; undefined when it is not there or fails */
  readonly run: (program: string, args: readonly string[]) => Promise<string | undefined>;
  /** Content of a file; undefined when it is not there or very long */
  readonly read: (path: string) => Promise<Buffer | undefined>;
  readonly list: (folder: string) => Promise<readonly string[]>;
  readonly variable: (name: VariableName) => string | undefined;
  /** Addresses of a name; none when it has none */
  readonly lookup: (name: string) => Promise<readonly string[]>;
  /** A page, asked for as this machine would; undefined when it does not come */
  readonly fetch: (url: string, options: FetchOptions) => Promise<string | undefined>;
  readonly home: string;
}

const programTimeoutMs = 15_000;
const longestFile = 2 * 1024 * 1024;

export const hostSettings: HostSettings = {
  run: async (program, args) => {
    if (findProgram(program) === undefined) return undefined;
    // Not where the daemon happens to stand: a project's own settings go into the guest with the project.
    const options = { timeoutMs: programTimeoutMs, cwd: tmpdir() };
    const result = await tryCommand(program, args, options).catch(() => undefined);
    return result?.exitCode === 0 ? result.stdout : undefined;
  },
  read: async (path) => {
    const content = await readFile(path).catch(() => undefined);
    return content === undefined || content.length > longestFile ? undefined : content;
  },
  list: async (folder) => (await readdir(folder).catch(() => [])).sort(),
  variable: readVariableOfEitherCase,
  lookup: async (name) => (await lookup(name, { all: true }).catch(() => [])).map(({ address }) => address),
  fetch: fetchText,
  home: readVariable('HOME') ?? homedir(),
};
