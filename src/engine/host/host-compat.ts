// Host compatibility: the command on the host itself, in a throw-away folder; only ever by explicit permission.

import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import type { RunCall } from '../../contract/call.ts';
import type { RunInput, RunOutput } from '../../contract/run.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { inputError } from '../../shared/input-error.ts';
import { startCommand } from '../../system/command.ts';
import type { Ending } from '../../system/last-words.ts';
import { makeTemporaryFolder } from '../../system/temporary-folders.ts';
import { newCaptures, streamsOf } from '../output/capture.ts';
import { limitOf } from './run.ts';

export async function runOnHost(request: RunInput, outputBytes: number, context: RunCall): Promise<RunOutput> {
  const { io } = context;
  const seconds = limitOf(request, io);
  const folder = await makeTemporaryFolder('host');
  const started = performance.now();
  const captures = newCaptures(outputBytes);
  try {
    const [file = '', ...args] = request.command;
    using input = borrow(io?.stdin);
    let exitCode: number | undefined;
    try {
      const child = startCommand(file, args, {
        cwd: folder,
        env: request.env,
        signal: context.signal,
        endsAtOnce: true,
        ...(input.stream === undefined ? {} : { input: input.stream }),
        ...(seconds === undefined ? {} : { timeoutMs: seconds * 1000 }),
      });
      for (const name of ['stdout', 'stderr'] as const) {
        const sink = io?.[name];
        if (sink === undefined) child[name].on('data', (chunk: Buffer) => captures[name].add(chunk));
        else child[name].pipe(sink, { end: false });
      }
      exitCode = codeOf(await child.done);
    } catch (error) {
      context.signal.throwIfAborted();
      if (isPyroError(error, 'tool_missing'))
        throw new PyroError('command_not_found', `command not found on this host: ${file}`);
      if (!isPyroError(error, 'deadline_exceeded')) throw error;
    }
    return {
      vm_id: randomBytes(6).toString('hex'),
      environment: request.environment,
      environment_version: 'none',
      command: [...request.command],
      ...streamsOf(captures),
      exit_code: exitCode ?? 124,
      timed_out: exitCode === undefined,
      duration_ms: Math.round(performance.now() - started),
      boot_ms: 0,
      boot_source: 'none',
      execution_mode: 'host_compat',
      accelerator: 'none',
      denied_connections: [],
      network_note: null,
      program_note: null,
      damage_note: null,
      cleanup: { deleted: true, reason: 'post_exec_cleanup' },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function codeOf({ exitCode, signal }: Ending): number {
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  return number === undefined ? exitCode : 128 + number;
}

/** The caller's input for as long as this lasts: a program that ends early closes what it reads, and the input is not ours. */
function borrow(stdin: Readable | undefined): Disposable & { readonly stream: Readable | undefined } {
  if (stdin === undefined) return { stream: undefined, [Symbol.dispose]: () => undefined };
  const stream = new PassThrough();
  const onFailed = (error: Error): void => void stream.destroy(inputError(error));
  stdin.once('error', onFailed).pipe(stream);
  return { stream, [Symbol.dispose]: () => void stdin.off('error', onFailed).unpipe(stream) };
}
