// A short program that everything else is held up for: it ends before anything else of this process happens.
import { spawnSync } from 'node:child_process';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { notStarted } from './command-errors.ts';
import type { Ending } from './last-words.ts';

export interface CommandNowOptions {
  /** Deadline, `ms`; for one that has none of its own */
  readonly timeoutMs?: number;
  /** True for one that works on the terminal of this process */
  readonly hasTerminal?: boolean;
  /** Open files that it gets besides, as its descriptors 3, 4 and so on */
  readonly descriptors?: readonly number[];
}

/** Runs a program that says little; an exit code other than 0 is a result. Throws `tool_missing` or `tool_failed`. */
export function tryCommandNow(
  file: string,
  args: readonly string[],
  { timeoutMs, hasTerminal = false, descriptors = [] }: CommandNowOptions = {},
): Ending {
  const { status, signal, stderr, error } = spawnSync(file, args, {
    stdio: [hasTerminal ? 'inherit' : 'ignore', 'ignore', 'pipe', ...descriptors],
    encoding: 'utf8',
    // Asked to end, one that is stopped would not hear it, and everything would wait.
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  if (systemCodeOf(error) === 'ETIMEDOUT')
    throw new PyroError('deadline_exceeded', `${file} did not finish within ${timeoutMs} ms`);
  if (error !== undefined) throw notStarted(file, undefined, error);
  return { stderr, exitCode: status ?? 128, signal: signal ?? undefined };
}
