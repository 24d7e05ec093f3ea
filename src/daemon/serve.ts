// The daemon's process: one of its kind by the lifetime lock, tells its starter how it went, writes its faults to the log.
import { closeSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { DaemonEngine } from '../engine/daemon-engine.ts';
import type { AnyOperation } from '../operations/define.ts';
import { isPyroError, PyroError, reportError } from '../shared/errors.ts';
import { tryCommandNow } from '../system/command-now.ts';
import { readVariable } from '../system/environment-variables.ts';
import { acquireLock } from '../system/lock.ts';
import { openLog } from '../system/log.ts';
import { locatePaths, type Paths } from '../system/paths.ts';
import { locateDaemon } from './places.ts';
import { serveDaemon } from './server.ts';
import { isListening } from './socket.ts';

export interface DaemonProcessOptions {
  readonly operations: readonly AnyOperation[];
  readonly createEngine: (paths: Paths) => Promise<DaemonEngine>;
  readonly version: string;
  readonly signal: AbortSignal;
  /** Descriptor of the pipe on which the starter waits for one line */
  readonly readyFd?: number | undefined;
}

const defaultIdleSeconds = 600;
/** How much more than what is in use the heap may grow to before it is cleared, percent: V8 lets it grow fourfold on large machines */
const heapGrowthPercent = 20;
/** An ending daemon holds the lock until it has let go of its guests. */
const longestLockWaitMs = 30_000;

/** Runs the daemon to its end; gives the exit code. */
export async function runDaemonProcess(options: DaemonProcessOptions): Promise<number> {
  setFlagsFromString(`--heap-growing-percent=${heapGrowthPercent}`);
  writeNoCoreDump();
  const places = await locateDaemon(locatePaths());
  const log = openLog(places.log);
  const tell = openReport(options.readyFd);
  process.on('unhandledRejection', (reason) => log.fault('unhandled_rejection', reason));
  process.on('uncaughtException', (error) => {
    log.fault('uncaught_exception', error);
    // Where nothing can be opened any more, the log cannot either: standard error is open, and leads to the same file.
    tellPlainly(error);
    // Guests keep running, and the next daemon adopts them: that is safer than going on in an unknown state.
    process.exit(1);
  });
  try {
    await using lock = await takeLifetimeLock(places.lifetimeLock, places.socket, options.signal);
    if (lock.isTaken) {
      tell({ taken: true });
      return 0;
    }
    await serveDaemon({
      ...options,
      places,
      log,
      idleMs: Number(readVariable('PYRO_DAEMON_IDLE_SECONDS') ?? defaultIdleSeconds) * 1000,
      onReady: () => tell({ ready: true }),
    });
    log.info('ended');
    return 0;
  } catch (error) {
    log.fault('failed', error);
    tell({ error: reportError(error) });
    return 1;
  }
}

/** Its memory has secrets of workspaces in it, and so has that of what it starts, which inherits the limit. */
function writeNoCoreDump(): void {
  try {
    tryCommandNow('prlimit', ['--pid', String(process.pid), '--core=0:0'], { timeoutMs: 1000 });
  } catch {
    // Where there is no such program, dumps are as the system has them.
  }
}

function tellPlainly(error: Error): void {
  try {
    writeSync(2, `uncaught: ${error.stack ?? error.message}\n`);
  } catch {
    // Nobody can be told.
  }
}

interface LifetimeLock extends AsyncDisposable {
  /** True when another daemon lives and answers */
  readonly isTaken: boolean;
}

async function takeLifetimeLock(path: string, socket: string, signal: AbortSignal): Promise<LifetimeLock> {
  const deadline = performance.now() + longestLockWaitMs;
  for (;;) {
    try {
      const lock = await acquireLock(path, { signal });
      return { isTaken: false, [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
    } catch (error) {
      if (!isPyroError(error, 'locked')) throw error;
      if (await isListening(socket)) return { isTaken: true, [Symbol.asyncDispose]: async () => undefined };
      if (performance.now() > deadline) {
        throw new PyroError('daemon_unresponsive', `a daemon is alive but does not listen: ${error.message}`, {
          hint: error.hint,
          cause: error,
        });
      }
      await sleep(100, undefined, { signal });
    }
  }
}

/** One line to the starter, which may be gone by now. */
function openReport(fd: number | undefined): (report: unknown) => void {
  let isOpen = fd !== undefined;
  return (report) => {
    if (!isOpen || fd === undefined) return;
    isOpen = false;
    try {
      writeSync(fd, `${JSON.stringify(report)}\n`);
      closeSync(fd);
    } catch {
      // The starter was ended: nobody waits for this.
    }
  };
}
