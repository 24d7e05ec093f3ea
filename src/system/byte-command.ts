// Helper programs whose output is bytes: taken whole, or streamed on into another program.
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { messageOf, PyroError } from '../shared/errors.ts';
import { type Ending, tailOf } from './last-words.ts';

export interface ByteCommandOptions {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string;
  /** Added to our own environment; undefined takes a variable away */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: Buffer | Readable;
  /** Most that standard output may have, `bytes` */
  readonly longestOutput?: number;
}

export interface ByteResult extends Ending {
  readonly stdout: Buffer;
}

const longestOutput = 512 * 1024 * 1024;

/** Runs a program to its end; an exit code other than 0 is a result. Throws `tool_missing`, `tool_failed` or `cancelled`. */
export async function runBytes(
  file: string,
  args: readonly string[],
  options: ByteCommandOptions = {},
): Promise<ByteResult> {
  const { stdout, done } = startBytes(file, args, options);
  const limit = options.longestOutput ?? longestOutput;
  const chunks: Buffer[] = [];
  let size = 0;
  stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  });
  // What broke the stream also ended the program, and `done` tells it.
  stdout.on('error', () => undefined);
  const ending = await done;
  if (size > limit) throw new PyroError('tool_failed', `${file} wrote more than ${limit} bytes`);
  return { stdout: Buffer.concat(chunks), ...ending };
}

export interface RunningBytes {
  readonly stdout: Readable;
  /** Never to be left unawaited; settles after standard output has been read to its end */
  readonly done: Promise<Ending>;
}

/** Starts a program whose standard output the caller reads. */
export function startBytes(file: string, args: readonly string[], options: ByteCommandOptions = {}): RunningBytes {
  const { input } = options;
  const child = execa(file, args, {
    reject: false,
    forceKillAfterDelay: 2000,
    buffer: false,
    encoding: 'buffer',
    stdin: input === undefined ? 'ignore' : 'pipe',
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  if (input !== undefined && child.stdin !== null) {
    const sink = child.stdin;
    // A program that ends early closes its input; its exit code tells why.
    sink.on('error', () => (Buffer.isBuffer(input) ? undefined : input.destroy()));
    if (Buffer.isBuffer(input)) sink.end(input);
    else input.on('error', () => sink.end()).pipe(sink);
  }
  const lastWords = tailOf(child.stderr);
  const done = child.then(async (result) => {
    if (result.isCanceled) throw new PyroError('cancelled', `${file} was cancelled`);
    if (result.code === 'ENOENT') {
      throw new PyroError('tool_missing', `${file} is not installed`, {
        hint: `install ${file} with the package manager of this machine; pyro doctor lists what is missing`,
        details: { program: file },
      });
    }
    if (result.exitCode === undefined && result.signal === undefined) {
      throw new PyroError('tool_failed', `${file} could not be started: ${messageOf(result)}`, { cause: result });
    }
    return { stderr: await lastWords, exitCode: result.exitCode ?? 128, signal: result.signal };
  });
  return { stdout: child.stdout, done };
}
