// Starts the daemon when none listens: detached, once however many fronts want it, with its failure told.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { refusalSchema } from '../contract/frames.ts';
import { errorFromReport, PyroError } from '../shared/errors.ts';
import { childEnvironment } from '../system/environment-variables.ts';
import { readOwnFile } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import { rotateLog } from '../system/log.ts';
import { ensurePrivateFolder } from '../system/paths.ts';
import type { DaemonPlaces } from './places.ts';
import type { DaemonProgram } from './program.ts';
import { isListening } from './socket.ts';

/** Longer than a daemon may wait for its predecessor's end */
const startMs = 40_000;
const longestLogTail = 2000;

/**
 * The C library keeps an arena for each thread, eight for each core, and gives what is free in them back late: a daemon that
 * lives for days would hold memory which nobody uses. Two arenas took 8 MiB less after a start and 6 after minutes of work.
 */
const leanAllocator = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' };

const reportSchema = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ taken: z.literal(true) }),
  refusalSchema,
]);

/** Comes back when a daemon listens. Throws `daemon_start_failed`, or what the daemon itself reported. */
export async function startDaemon(program: DaemonProgram, places: DaemonPlaces, signal: AbortSignal): Promise<void> {
  await ensurePrivateFolder(places.paths.state);
  await using lock = await acquireLock(places.startLock, { signal, waitMs: startMs });
  void lock;
  if (await isListening(places.socket)) return;
  const child = launch(program, places);
  try {
    const line = await firstLine(child, signal);
    const report = line === '' ? undefined : reportSchema.parse(JSON.parse(line));
    if (report === undefined) throw await startFailure(places, 'it ended before it was ready');
    if ('error' in report) throw errorFromReport(report.error);
    if ('taken' in report) await untilListening(places, signal);
  } finally {
    child.stdio[3]?.destroy();
    child.unref();
  }
}

function launch({ command }: DaemonProgram, places: DaemonPlaces): ChildProcess {
  rotateLog(places.log);
  const output = openSync(places.log, 'a', 0o600);
  const [file = '', ...args] = command;
  try {
    return spawn(file, [...args, '--ready-fd', '3'], {
      // Its own session: whoever ends the group of this front does not end the daemon.
      detached: true,
      cwd: '/',
      env: { ...leanAllocator, ...childEnvironment() },
      stdio: ['ignore', output, output, 'pipe'],
    });
  } finally {
    closeSync(output);
  }
}

/** The line that the child writes when it knows how it went; empty when it ends without one. */
async function firstLine(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const pipe = child.stdio[3];
  return await new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => {
      child.kill();
      // One that is stopped hears of it only when it goes on.
      child.kill('SIGCONT');
      reject(new PyroError('daemon_start_failed', `the daemon was not ready within ${startMs} ms`));
    }, startMs);
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    // The daemon itself is not ended: others may be waiting for it.
    const onAbort = (): void => finish(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    child.once('error', (cause) => {
      finish(() =>
        reject(new PyroError('daemon_start_failed', `the daemon cannot be started: ${cause.message}`, { cause })),
      );
    });
    pipe?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    // It tells its end by closing, however that comes.
    pipe?.on('error', () => undefined);
    pipe?.once('close', () => finish(() => resolve(text.trim())));
  });
}

async function untilListening(places: DaemonPlaces, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + startMs;
  while (!(await isListening(places.socket))) {
    if (performance.now() > deadline) throw await startFailure(places, 'another daemon is alive but does not listen');
    // The other one was started by someone else, so no event of it reaches us.
    await sleep(50, undefined, { signal });
  }
}

async function startFailure({ log }: DaemonPlaces, why: string): Promise<PyroError> {
  const text = await readOwnFile(log).catch(() => '');
  const tail = text.trimEnd().split('\n').slice(-5).join('\n').slice(-longestLogTail);
  return new PyroError('daemon_start_failed', `the daemon did not start: ${why}\n${tail}`, {
    hint: `pyro doctor checks this machine; the whole log: ${log}`,
  });
}
