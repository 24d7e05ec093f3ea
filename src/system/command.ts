// The one door to helper programs (qemu-img, sqfstar, mmdebstrap, git): run to the end, with output bounded and failures typed.
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { formatBytes } from '../shared/units.ts';
import { readVariable } from './environment-variables.ts';
import { describeEnding, type Ending, tailOf } from './last-words.ts';

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** Deadline, `ms`; none when absent */
  readonly timeoutMs?: number;
  /** Stream or text for standard input; nothing when absent */
  readonly input?: Readable | string;
  readonly cwd?: string;
  /** Added to our own environment; undefined takes a variable away */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** True when the program sees `env` alone, nothing of our own environment */
  readonly isEnvWhole?: boolean;
  /** Called with each piece of standard error, for progress */
  readonly onStderr?: (text: string) => void;
  /** Ends it, on cancellation, at once with every process that it has started: for programs whose children outlive them */
  readonly endsWholeGroup?: boolean;
  /** True for what must not write on when we are gone, even by kill -9 */
  readonly endsWithUs?: boolean;
  /** Sends standard output to this file in place of the result: the program writes it itself, as much as it likes */
  readonly stdoutFile?: string;
}

/** Its standard error is the end of what it said. */
export interface CommandResult extends Ending {
  readonly stdout: string;
}

/** Most standard output that a result holds, `bytes` */
const longestOutput = 4 * 1024 * 1024;

/** Debian package of each program, for the hint. */
const packages: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mke2fs: 'e2fsprogs',
  sqfstar: 'squashfs-tools',
  mmdebstrap: 'mmdebstrap',
  'apt-get': 'apt',
  git: 'git',
  tar: 'tar',
  flock: 'util-linux',
};

/** Runs a program to its end. Throws `tool_missing`, `tool_failed`, `cancelled` or `deadline_exceeded`. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await tryCommand(file, args, options);
  if (result.exitCode !== 0) throw failureOf(file, file, result);
  return result;
}

/** As {@link runCommand}, but an exit code other than 0 is a result, not an error. */
export async function tryCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { signal, endsWholeGroup: isGroup = false } = options;
  if (isGroup && signal?.aborted === true) throw new PyroError('cancelled', `${file} was cancelled`);
  const [program = file, ...words] = options.endsWithUs === true ? await tie(file, args) : [file, ...args];
  await using output = options.stdoutFile === undefined ? undefined : await open(options.stdoutFile, 'w', 0o600);
  const child = execa(program, words, {
    reject: false,
    detached: isGroup,
    forceKillAfterDelay: 2000,
    buffer: { stdout: output === undefined, stderr: false },
    maxBuffer: longestOutput,
    stripFinalNewline: false,
    ...(options.input === undefined
      ? { stdin: 'ignore' as const }
      : typeof options.input === 'string'
        ? { input: options.input }
        : { stdin: 'pipe' as const }),
    ...(output === undefined ? {} : { stdout: output.createWriteStream({ autoClose: false }) }),
    ...(signal === undefined || isGroup ? {} : { cancelSignal: signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.isEnvWhole === true ? { extendEnv: false } : {}),
  });
  const { onStderr, input } = options;
  const lastWords = tailOf(child.stderr);
  if (onStderr !== undefined) child.stderr?.on('data', (chunk: Buffer) => onStderr(chunk.toString('utf8')));
  if (input !== undefined && typeof input !== 'string' && child.stdin !== null) feed(input, child.stdin);
  const onAbort = (): void => endGroup(child.pid);
  if (isGroup) signal?.addEventListener('abort', onAbort, { once: true });
  const result = await child;
  signal?.removeEventListener('abort', onAbort);
  if (result.isCanceled || (isGroup && signal?.aborted === true))
    throw new PyroError('cancelled', `${file} was cancelled`);
  if (result.timedOut)
    throw new PyroError('deadline_exceeded', `${file} did not finish within ${options.timeoutMs} ms`);
  if (result.code === 'ENOENT') throw missing(file);
  if (result.isMaxBuffer) {
    throw new PyroError('tool_failed', `${file} wrote more than ${formatBytes(longestOutput)}`, {
      details: { program: file },
    });
  }
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new PyroError('tool_failed', `${file} could not be started: ${result.shortMessage}`, { cause: result });
  }
  return {
    stdout: typeof result.stdout === 'string' ? result.stdout : '',
    stderr: await lastWords,
    exitCode: result.exitCode ?? 128,
    signal: result.signal,
  };
}

/** The command line with which a program gets the kernel's signal when its parent dies; as it is where that cannot be. */
export async function tie(file: string, args: readonly string[]): Promise<readonly string[]> {
  const [setpriv, program] = await Promise.all([findProgram('setpriv'), findProgram(file)]);
  // A program that is missing is told by its own name.
  if (setpriv === undefined || program === undefined) return [file, ...args];
  return [setpriv, '--pdeathsig', 'KILL', program, ...args];
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    // It has ended by itself in this moment.
    if (systemCodeOf(error) !== 'ESRCH') throw error;
  }
}

/** The failure of a program, as `shown` names it. */
export function failureOf(file: string, shown: string, ending: Ending): PyroError {
  return new PyroError('tool_failed', describeEnding(shown, ending), {
    details: { program: file, exit_code: ending.exitCode },
  });
}

/** A reader that ends early closes its input: its exit code tells why, so the broken pipe itself is no news. */
function feed(input: Readable, sink: NodeJS.WritableStream): void {
  sink.on('error', () => input.destroy());
  input.on('error', () => sink.end());
  input.pipe(sink);
}

function missing(file: string): PyroError {
  const name = packages[file];
  return new PyroError('tool_missing', `${file} is not installed`, {
    hint: name === undefined ? 'run pyro doctor' : `install it, on Debian or Ubuntu with: sudo apt-get install ${name}`,
    details: { program: file },
  });
}

/** Absolute path of a program on PATH, or undefined. */
export async function findProgram(name: string): Promise<string | undefined> {
  const candidates = isAbsolute(name)
    ? [name]
    : (readVariable('PATH') ?? '')
        .split(delimiter)
        .filter(isAbsolute)
        .map((folder) => join(folder, name));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not there or not executable: the next folder may have it.
    }
  }
  return undefined;
}
