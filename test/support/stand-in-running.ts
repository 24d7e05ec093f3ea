// A stand-in guest that runs, as the process knows it that has started it, and as another does that takes it over.
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { kill } from 'node:process';
import { z } from 'zod';
import { hasSurelyEnded, isRunning, type ProcessIdentity, processIdentitySchema } from '../../src/system/processes.ts';

export interface Running {
  /** Ends the guest at once; nothing for one that has ended */
  readonly kill: () => void;
  readonly hasEnded: () => boolean;
  /** Process of its agent */
  readonly agent: () => number | undefined;
  readonly ended: Promise<void>;
  readonly sockets: string;
  /** Path of the layer that it writes */
  readonly top: () => string;
  readonly setTop: (path: string) => void;
}

/** What a guest is known by to a process that has not started it; lies among its sockets. */
const noteSchema = z.object({ process: processIdentitySchema, top: z.string() });
const noteName = 'stand-in.json';

/** A guest that another process has started, by what it noted. */
export function adopt(sockets: string): Running | undefined {
  const path = join(sockets, noteName);
  if (!existsSync(path)) return undefined;
  const read = () => noteSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  const { process: identity } = read();
  if (!isRunning(identity)) return undefined;
  return {
    kill: () => {
      if (isRunning(identity)) kill(-identity.pid, 'SIGKILL');
    },
    hasEnded: () => !isRunning(identity),
    agent: () => agentOf(identity.pid),
    ended: new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!hasSurelyEnded(identity)) return;
        clearInterval(timer);
        resolve();
      }, 50);
      timer.unref();
    }),
    sockets,
    top: () => read().top,
    setTop: (top) => note(sockets, identity, top),
  };
}

export function note(sockets: string, identity: ProcessIdentity, top: string): void {
  writeFileSync(join(sockets, noteName), JSON.stringify({ process: identity, top }));
}

/** The agent is what the first process of the guest has started. */
export function agentOf(pid: number): number | undefined {
  return childrenOf(pid).flatMap(childrenOf)[0];
}

function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);
}

/** Both of its processes: the second one does not yet end with the first when it has just been forked. */
export function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended, which nobody has been told yet.
  }
}

/** The file of a socket is there a moment before somebody listens. */
export async function isListening(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const socket = connect(path);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  const isThere = await promise;
  socket.destroy();
  return isThere;
}
