// The line that helps when a command ended with 127: which environments have the program, and what would install it.

import { posix } from 'node:path';
import { isPyroError, PyroError } from '../../shared/errors.ts';

const build = ['debian:12-build', 'debian:12-dev'] as const;
const dev = ['debian:12-dev'] as const;

interface Program {
  readonly environments: readonly string[];
  /** Package of Debian that brings it */
  readonly package: string;
}

const programs = new Map<string, Program>([
  ...['make', 'cmake', 'gcc', 'g++', 'python3', 'pkg-config'].map((name): [string, Program] => [
    name,
    { environments: build, package: name },
  ]),
  ['cc', { environments: build, package: 'gcc' }],
  ['c++', { environments: build, package: 'g++' }],
  ['pip', { environments: [...build, 'python:3.13'], package: 'python3-pip' }],
  ['pip3', { environments: [...build, 'python:3.13'], package: 'python3-pip' }],
  ['python', { environments: ['python:3.13'], package: 'python-is-python3' }],
  ['node', { environments: ['node:24', ...dev], package: 'nodejs' }],
  ['npm', { environments: ['node:24', ...dev], package: 'npm' }],
  ['npx', { environments: ['node:24', ...dev], package: 'npm' }],
  ['go', { environments: ['golang:1'], package: 'golang' }],
  ['cargo', { environments: ['rust:1'], package: 'cargo' }],
  ['rustc', { environments: ['rust:1'], package: 'rustc' }],
  ['rg', { environments: dev, package: 'ripgrep' }],
  ['fd', { environments: dev, package: 'fd-find' }],
  ...['jq', 'tree', 'strace', 'gdb', 'lsof', 'sqlite3', 'unzip', 'zip', 'rsync', 'file', 'less', 'pipx'].map(
    (name): [string, Program] => [name, { environments: dev, package: name }],
  ),
  ...['git', 'curl', 'ssh'].map((name): [string, Program] => [
    name,
    { environments: ['debian:12', ...build], package: name === 'ssh' ? 'openssh-client' : name },
  ]),
]);

const notFound = 127;
/** As bash, dash and busybox say it: `bash: line 1: make: command not found`, `sh: 1: make: not found` */
const sign = /(?:^|[\s:])([A-Za-z0-9][\w.+-]{0,40}): (?:command )?not found\s*$/m;

export interface ProgramPlace {
  readonly environment: string;
  readonly package_sources: string;
}

/** Null unless the command ended because a program known here is missing. */
export function noteOnProgram(
  where: ProgramPlace,
  exitCode: number | null,
  { stderr, stdout }: { readonly stderr: string; readonly stdout: string },
): string | null {
  const name = exitCode === notFound ? (sign.exec(stderr) ?? sign.exec(stdout))?.[1] : undefined;
  return name === undefined ? null : noteOn(name, where);
}

/** Null for a program that is not known here. */
function noteOn(name: string, { environment, package_sources: sources }: ProgramPlace): string | null {
  const program = programs.get(name);
  if (program === undefined) return null;
  const others = program.environments.filter((each) => each !== environment);
  const install = `apt-get update && apt-get install -y ${program.package}`;
  const way = sources === 'none' ? 'with package_sources host' : 'if the environment has apt';
  return `${name} is not in ${environment}; the environment ${others.join(' or ')} has it, or, ${way}: ${install}`;
}

/** The error of a command that could not be started, with the note as its hint where the program is known. */
export function withProgramNote(error: unknown, where: ProgramPlace, program = ''): unknown {
  if (!isPyroError(error, 'command_not_found')) return error;
  const hint = noteOn(posix.basename(program), where);
  return hint === null ? error : new PyroError('command_not_found', error.message, { hint, cause: error });
}
