// Host compatibility: the command on the host itself, in a throw-away folder; only ever by explicit permission.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunCall } from '../../contract/call.ts';
import type { RunInput, RunOutput } from '../../contract/run.ts';
import { PyroError, systemCodeOf } from '../../shared/errors.ts';
import { inputError } from '../../shared/input-error.ts';
import { newCaptures, streamsOf } from '../output/capture.ts';
import { limitOf } from './run.ts';

export async function runOnHost(request: RunInput, outputBytes: number, context: RunCall): Promise<RunOutput> {
  const { io } = context;
  const seconds = limitOf(request, io);
  const folder = await mkdtemp(join(tmpdir(), 'pyro-host-'));
  const started = performance.now();
  try {
    const [file = '', ...args] = request.command;
    const child = spawn(file, args, {
      cwd: folder,
      detached: true,
      env: { ...process.env, ...request.env },
      stdio: [io?.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    let timedOut = false;
    const kill = (): void => {
      if (child.pid !== undefined) killGroup(child.pid);
    };
    const timer =
      seconds === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            kill();
          }, seconds * 1000);
    context.signal.addEventListener('abort', kill, { once: true });
    const captures = newCaptures(outputBytes);
    for (const name of ['stdout', 'stderr'] as const) {
      const sink = io?.[name];
      if (sink === undefined) child[name]?.on('data', (chunk: Buffer) => captures[name].add(chunk));
      else child[name]?.pipe(sink, { end: false });
    }
    let failure: Error | undefined;
    const onInputFailed = (error: Error): void => {
      failure = inputError(error);
      kill();
    };
    if (child.stdin !== null) {
      child.stdin.on('error', () => undefined);
      io?.stdin?.once('error', onInputFailed).pipe(child.stdin);
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.once('error', (error) =>
      reject(
        systemCodeOf(error) === 'ENOENT'
          ? new PyroError('command_not_found', `command not found on this host: ${file}`)
          : error,
      ),
    );
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    try {
      const exitCode = await promise;
      context.signal.throwIfAborted();
      if (failure !== undefined) throw failure;
      return {
        vm_id: randomBytes(6).toString('hex'),
        environment: request.environment,
        environment_version: 'none',
        command: [...request.command],
        ...streamsOf(captures),
        exit_code: timedOut ? 124 : exitCode,
        timed_out: timedOut,
        duration_ms: Math.round(performance.now() - started),
        boot_ms: 0,
        boot_source: 'none',
        execution_mode: 'host_compat',
        accelerator: 'none',
        denied_connections: [],
        network_note: null,
        program_note: null,
        cleanup: { deleted: true, reason: 'post_exec_cleanup' },
      };
    } finally {
      clearTimeout(timer);
      context.signal.removeEventListener('abort', kill);
      if (child.stdin !== null) io?.stdin?.off('error', onInputFailed).unpipe(child.stdin);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // The group has ended already.
    if (systemCodeOf(error) !== 'ESRCH') throw error;
  }
}
