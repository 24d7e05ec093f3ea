// The one door to other programs (git, tar, qemu-img, sqfstar): started, fed, heard, ended with their caller, failures typed.
//
// Outside stay those whose child is more than a program that runs to its end, each with the reason in its own file:
// QEMU (machine/qemu-process.ts) and the daemon (daemon/autostart.ts) may outlive us, the server of a chat host
// (hosts/server-probe.ts) is talked to, a pager (cli/pager.ts) has the terminal itself, and the process of a job
// (engine/jobs/job-process.ts) gets sessions with guests. The linter knows these files, and nobody else gets at
// node:child_process; command-now.ts is a side door of this one.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Readable } from 'node:stream';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { formatBytes } from '../shared/units.ts';
import { about, failureOf, notStarted } from './command-errors.ts';
import { findProgram } from './find-program.ts';
import { type Ending, tailOf } from './last-words.ts';
import { wasStopped, watchForStop } from './stopped-program.ts';

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** Deadline, `ms`; none when absent */
  readonly timeoutMs?: number;
  /** What it reads; nothing when absent. A stream that fails ends the program, and its error is that of the call */
  readonly input?: Readable | Uint8Array | string;
  readonly cwd?: string;
  /** Added to our own environment; undefined takes a variable away */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** True when the program sees `env` alone, nothing of our own environment */
  readonly isEnvWhole?: boolean;
  /** Called with each piece of standard error, for progress */
  readonly onStderr?: (text: string) => void;
  /** True for what, asked to end, would tidy up for long: it is killed at once */
  readonly endsAtOnce?: boolean;
  /** False for what ends at once by itself. All others do not even outlive a kill -9 of ours, where setpriv is there */
  readonly endsWithUs?: boolean;
  /** Sends standard output to this file in place of the result: the program writes it itself, as much as it likes */
  readonly stdoutFile?: string;
  /** Most standard output that a result holds, `bytes` */
  readonly longestOutput?: number;
  /** Open files that it gets besides, as its descriptors 3, 4 and so on */
  readonly descriptors?: readonly number[];
}

/** Its standard error is the end of what it said. */
export interface CommandResult extends Ending {
  readonly stdout: string;
}

export interface ByteResult extends Ending {
  readonly stdout: Buffer;
}

export interface RunningCommand {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles after both streams have been read to their end; an exit code other than 0 is a result */
  readonly done: Promise<Ending>;
}

const longestText = 4 * 1024 * 1024;
const longestBytes = 512 * 1024 * 1024;
/** Between being asked to end and being killed, and between that and nobody listening any more, `ms` */
const graceMs = 2000;

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
  const result = await runBytes(file, args, { longestOutput: longestText, ...options });
  return { ...result, stdout: result.stdout.toString('utf8') };
}

/** The same with standard output as it is: names and contents need not be text. */
export async function runBytes(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<ByteResult> {
  const chunks: Buffer[] = [];
  const most = options.longestOutput ?? longestBytes;
  let size = 0;
  const program = start(file, args, options);
  program.stdout?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= most) chunks.push(chunk);
    else program.end(new PyroError('tool_failed', `${file} wrote more than ${formatBytes(most)}`, about(file)));
  });
  const ending = await program.done;
  return { ...ending, stdout: Buffer.concat(chunks) };
}

/** Starts a program whose output the caller reads. */
export function startCommand(
  file: string,
  args: readonly string[],
  options: Omit<CommandOptions, 'stdoutFile' | 'longestOutput'> = {},
): RunningCommand {
  const { stdout, stderr, done } = start(file, args, options);
  if (stdout === null) throw new PyroError('tool_failed', `${file} has no output to read`, about(file));
  return { stdout, stderr, done };
}

interface Program {
  readonly stdout: Readable | null;
  readonly stderr: Readable;
  readonly done: Promise<Ending>;
  /** Ends it with every process that it has started; the first reason is what `done` throws */
  readonly end: (why: unknown) => void;
}

function start(file: string, args: readonly string[], options: CommandOptions): Program {
  const { signal, input, timeoutMs, onStderr, cwd } = options;
  const [program = file, ...words] =
    options.endsWithUs === false ? [file, ...args] : tie(file, args, options.env?.['PATH']);
  const cancelled = (): PyroError => new PyroError('cancelled', `${file} was cancelled`);
  if (signal?.aborted === true) throw cancelled();
  const child = launch(file, [program, ...words], options);
  const hasEnded = endOf(child);
  // A program that could not be started may have no streams.
  const stderr = child.stderr ?? Readable.from([]);
  let why: { readonly reason: unknown } | undefined;
  let last: NodeJS.Timeout | undefined;
  const end = (reason: unknown): void => {
    if (why !== undefined) return;
    why = { reason };
    endGroup(child.pid, options.endsAtOnce === true ? 'SIGKILL' : 'SIGTERM');
    // One that is stopped hears of it only when it goes on.
    if (options.endsAtOnce !== true) endGroup(child.pid, 'SIGCONT');
    last = setTimeout(() => {
      endGroup(child.pid, 'SIGKILL');
      // What has left the group may still hold them.
      last = setTimeout(() => {
        for (const pipe of child.stdio) pipe?.destroy();
      }, graceMs);
    }, graceMs);
  };
  const onAbort = (): void => end(cancelled());
  const stopWatch = child.pid === undefined ? undefined : watchForStop(child.pid, () => end(wasStopped(file)));
  signal?.addEventListener('abort', onAbort, { once: true });
  const deadline =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => end(new PyroError('deadline_exceeded', `${file} did not finish within ${timeoutMs} ms`)),
          timeoutMs,
        );
  // What broke a stream also ended the program, or shows in what it says of it.
  child.stdout?.on('error', () => undefined);
  if (onStderr !== undefined) stderr.on('data', (chunk: Buffer) => onStderr(chunk.toString('utf8')));
  const lastWords = tailOf(stderr);
  if (input !== undefined && child.stdin !== null) feed(input, child.stdin, end);
  const finish = async (): Promise<Ending> => {
    const { code, endSignal, failure } = await hasEnded;
    stopWatch?.[Symbol.dispose]();
    clearTimeout(deadline);
    clearTimeout(last);
    signal?.removeEventListener('abort', onAbort);
    if (why !== undefined) throw why.reason;
    if (failure !== undefined) throw notStarted(file, cwd, failure);
    return { stderr: await lastWords, exitCode: code ?? 128, signal: endSignal ?? undefined };
  };
  const done = finish();
  // Whoever waits for it hears of a failure; nobody else is to fall over it.
  done.catch(() => undefined);
  return { stdout: child.stdout, stderr, done, end };
}

/** In a group of its own, so that its end is that of all it has started. */
function launch(file: string, line: readonly string[], options: CommandOptions): ChildProcess {
  const { input, cwd, env, isEnvWhole, stdoutFile, descriptors = [] } = options;
  const [program = file, ...args] = line;
  const output = stdoutFile === undefined ? undefined : openSync(stdoutFile, 'w', 0o600);
  try {
    return spawn(program, args, {
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', output ?? 'pipe', 'pipe', ...descriptors],
      ...(cwd === undefined ? {} : { cwd }),
      env: isEnvWhole === true ? { ...env } : { ...process.env, ...env },
    });
  } catch (error) {
    throw new PyroError('tool_failed', `${file} could not be started: ${messageOf(error)}`, about(file));
  } finally {
    if (output !== undefined) closeSync(output);
  }
}

interface End {
  readonly code: number | null;
  readonly endSignal: NodeJS.Signals | null;
  /** Why it did not even start */
  readonly failure: Error | undefined;
}

/** Its end, once nobody has its output open any more. */
async function endOf(child: ChildProcess): Promise<End> {
  return await new Promise((resolve) => {
    child.once('error', (failure) => resolve({ code: null, endSignal: null, failure }));
    child.once('close', (code, endSignal) => resolve({ code, endSignal, failure: undefined }));
  });
}

/** A reader that ends early closes its input: its exit code tells why, so the broken pipe itself is no news. */
function feed(input: Readable | Uint8Array | string, sink: NodeJS.WritableStream, end: (why: unknown) => void): void {
  if (typeof input === 'string' || input instanceof Uint8Array) {
    sink.on('error', () => undefined).end(input);
    return;
  }
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    input.destroy();
  };
  sink.on('error', stop).on('close', stop);
  // One that breaks would look to the program like one that ends; one that broke before has told so to whoever made it.
  input.on('error', () => undefined);
  const onClose = (): void => {
    if (!isOver && !input.readableEnded)
      end(input.errored ?? new PyroError('input_failed', 'what a program was to read broke off'));
  };
  if (input.destroyed) onClose();
  else input.on('close', onClose).pipe(sink);
}

/** The command line with which a program gets the kernel's signal when its parent dies; as it is where that cannot be. */
export function tie(file: string, args: readonly string[], path?: string): readonly string[] {
  const [setpriv, program] = [findProgram('setpriv'), findProgram(file, path)];
  // A program that is missing is told by its own name.
  if (setpriv === undefined || program === undefined) return [file, ...args];
  return [setpriv, '--pdeathsig', 'KILL', program, ...args];
}

function endGroup(leader: number | undefined, signal: 'SIGTERM' | 'SIGCONT' | 'SIGKILL'): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // It has ended by itself in this moment.
    if (systemCodeOf(error) !== 'ESRCH') throw error;
  }
}
