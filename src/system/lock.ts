// A lock between processes: a file that names its living owner; one whose owner is dead is taken over.
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { makeFolder } from './folders.ts';
import { identifySelf, isRunning, type ProcessIdentity, processIdentitySchema } from './processes.ts';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for another holder, `ms` */
  readonly waitMs?: number;
  /** Called once when somebody else holds the lock */
  readonly onWait?: (holder: number) => void;
}

/** Takes the lock at `path`. Throws `locked` after `waitMs`; dispose the result to release it. */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<AsyncDisposable> {
  const deadline = Date.now() + (options.waitMs ?? 0);
  await makeFolder(dirname(path));
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await tryTake(path)) return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (!isRunning(holder)) {
      await removeStale(path);
      continue;
    }
    if (Date.now() >= deadline) {
      throw new PyroError('locked', `process ${holder.pid} holds ${path}`, {
        hint: `wait for it to finish, or end it with: kill ${holder.pid}`,
        details: { pid: holder.pid },
      });
    }
    if (!told) options.onWait?.(holder.pid);
    told = true;
    // Another process's lock gives no event; the pause bounds the cost of looking.
    await sleep(50, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** link() makes the name appear with its content already in it, which `open(…, 'wx')` would not. */
async function tryTake(path: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, JSON.stringify(identifySelf()), { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** The living process that holds the lock. */
export async function findHolder(path: string): Promise<ProcessIdentity | undefined> {
  const holder = await readHolder(path);
  return holder !== undefined && isRunning(holder) ? holder : undefined;
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return processIdentitySchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    // Content that nobody of ours wrote cannot name a living owner.
    return { pid: 0x7fffffff, start_ticks: 0 };
  }
}

/** Two waiters may see the same dead owner; the rename lets each check what it really took away. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.stale.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return;
    throw error;
  }
  const holder = await readHolder(aside);
  if (holder !== undefined && isRunning(holder)) {
    // A living owner took the name in between: give it back unless a third one stands there by now.
    await link(aside, path).catch(() => undefined);
  }
  await rm(aside, { force: true });
}
