// A lock between processes: the kernel's own, on a file that is held open, so that it ends with whoever holds it.
import { closeSync, fstatSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isHostFault, PyroError, systemCodeOf } from '../shared/errors.ts';
import { tryCommand } from './command.ts';
import { failureOf } from './command-errors.ts';
import { tryCommandNow } from './command-now.ts';
import { assertRegular, readOwnFile } from './files.ts';
import { makeFolder } from './folders.ts';
import type { Ending } from './last-words.ts';
import { identifySelf, isRunning, type ProcessIdentity, processIdentitySchema } from './processes.ts';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for another holder, `ms` */
  readonly waitMs?: number;
  /** Called once when someone else holds the lock: `process 123` */
  readonly onWait?: (holder: string) => void;
}

/** Takes the lock at `path`. Throws `locked` after `waitMs`; dispose the result to release it. */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<AsyncDisposable> {
  const deadline = performance.now() + (options.waitMs ?? 0);
  await makeFolder(dirname(path));
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    // A number, not a handle: what nobody refers to any more would be closed, and the lock with it.
    const fd = openLock(path);
    try {
      assertRegular(path, fstatSync(fd));
      let isTaken = await lock(fd, 0, options.signal);
      if (!isTaken) {
        if (!told) options.onWait?.(nameOf(await findHolder(path)));
        told = true;
        isTaken = await lock(fd, deadline - performance.now(), options.signal);
      }
      if (!isTaken) throw await lockedError(path);
      // Its last owner has removed the file, and someone else may have a new one.
      if (isAt(path, fd)) return own(path, fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/** Its folder is there: what is missing is what a link in the file's place leads to. */
function openLock(path: string): number {
  try {
    return openSync(path, 'a+', 0o600);
  } catch (cause) {
    if (systemCodeOf(cause) !== 'ENOENT') throw cause;
    throw new PyroError('path_unusable', `a symbolic link that leads nowhere stands in the place of a file: ${path}`, {
      cause,
    });
  }
}

/** Only who holds the lock removes its file: so the file at the path is never that of two. */
function own(path: string, fd: number): AsyncDisposable {
  // For whoever wants to know; who holds the lock is the kernel's to say.
  try {
    ftruncateSync(fd);
    writeSync(fd, JSON.stringify(identifySelf()));
  } catch (error) {
    if (!isHostFault(error)) throw error;
  }
  let isHeld = true;
  return {
    [Symbol.asyncDispose]: async () => {
      if (!isHeld) return;
      isHeld = false;
      try {
        await rm(path, { force: true });
      } finally {
        closeSync(fd);
      }
    },
  };
}

/**
 * True once the lock is ours. Node has no flock of its own; the program of that name locks the open file that it is given,
 * which it shares with us: the lock stays when it ends, and goes when we close the file or are no more.
 */
async function lock(fd: number, waitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  const options = { signal, descriptors: [fd], endsWithUs: waitMs > 0 };
  const result = await tryCommand('flock', lockWords(waitMs), options).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
  return isLocked(result);
}

/**
 * Locks a folder, for work that waits for nothing: whoever else wants it is held up meanwhile, and so is this process while it
 * waits. Throws `locked` after `waitMs`.
 */
export function lockFolder(path: string, waitMs: number): Disposable {
  const fd = openSync(path, 'r');
  try {
    if (!isLocked(tryCommandNow('flock', lockWords(waitMs), { descriptors: [fd], timeoutMs: waitMs + stuckMs }))) {
      throw new PyroError('locked', `another process holds ${path}`, { hint: 'try again in a moment' });
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** So much longer than it should take it has been stopped, and everything would wait for it, `ms` */
const stuckMs = 5000;

function lockWords(waitMs: number): string[] {
  const wait = waitMs > 0 ? ['--timeout', (waitMs / 1000).toFixed(3)] : ['--nonblock'];
  return ['--exclusive', '--conflict-exit-code', String(conflictCode), ...wait, String(lockedFd)];
}

function isLocked(ending: Ending): boolean {
  if (ending.exitCode === 0 || ending.exitCode === conflictCode) return ending.exitCode === 0;
  throw failureOf('flock', 'flock', ending);
}

/** The descriptor of the file in the program that locks it */
const lockedFd = 3;
/** How that program says that someone else holds the lock; none of its failures */
const conflictCode = 100;

function isAt(path: string, fd: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const ours = fstatSync(fd);
  return there?.ino === ours.ino && there.dev === ours.dev;
}

async function lockedError(path: string): Promise<PyroError> {
  const holder = await findHolder(path);
  const pid = holder?.pid;
  return new PyroError('locked', `${nameOf(holder)} holds ${path}`, {
    hint: `wait for it to finish${pid === undefined ? '' : `, or end it with: kill ${pid}`}`,
    details: pid === undefined ? {} : { pid },
  });
}

function nameOf(holder: ProcessIdentity | undefined): string {
  return holder === undefined ? 'another process' : `process ${holder.pid}`;
}

/** The living process that holds the lock; undefined also for the moment in which it has not said so yet. */
export async function findHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const holder = processIdentitySchema.parse(JSON.parse(await readOwnFile(path)));
    return isRunning(holder) ? holder : undefined;
  } catch {
    // No such file, or content that nobody of ours wrote: it names nobody.
    return undefined;
  }
}
