// A command line for a shell: bash if the environment has it, because that is what people and models write for, else sh.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { GuestProcess } from '../../agent/guest-process.ts';
import type { StartRequest } from '../../agent/messages.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';

const shells = ['bash', 'sh'] as const;
export type LineShell = (typeof shells)[number];

export interface StartedLine {
  readonly process: GuestProcess;
  readonly shell: LineShell;
}

/** Starts the line. Throws `command_not_found` if there is no shell, and what else the guest refuses. */
export async function startLine(
  client: GuestClient,
  line: string,
  request: Omit<StartRequest, 'argv'>,
  signal?: AbortSignal,
): Promise<StartedLine> {
  // The signal ends the start alone: what runs may outlive whoever has started it.
  const starting = new AbortController();
  const onAbort = (): void => starting.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await startByFirst(client, line, request, starting.signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

async function startByFirst(
  client: GuestClient,
  line: string,
  request: Omit<StartRequest, 'argv'>,
  signal: AbortSignal,
): Promise<StartedLine> {
  for (const shell of shells) {
    try {
      const argv = [`/bin/${shell}`, '-c', line];
      return { process: await client.start({ ...request, argv }, { signal }), shell };
    } catch (error) {
      // A bash that exists but cannot be executed, for lack of its interpreter, does not count.
      if (!isPyroError(error, 'command_not_found', 'command_not_executable')) throw error;
      if (shell === 'sh' && isPyroError(error, 'command_not_executable')) throw error;
    }
  }
  throw new PyroError('command_not_found', 'the environment has no shell (/bin/sh) to run the command line', {
    hint: 'use an environment that has one; pyro run starts programs without a shell',
  });
}
