// The pager of a person at a terminal, for output that is longer than the screen.
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { tryCommand } from '../system/command.ts';
import { readVariable } from '../system/environment-variables.ts';
import { isTerminal, ownOutput } from './terminal.ts';

export interface Pager {
  readonly sink: Writable;
  /** Comes back when the person has left it */
  readonly end: () => Promise<void>;
}

/** As for git: ends at once where all fits, shows colours, and leaves what it showed on the screen */
const lessOptions = 'FRX';

/** Standard output itself where it is not a terminal, where PAGER is cat, and where there is no pager. */
export async function openPager(): Promise<Pager> {
  const plain: Pager = { sink: ownOutput('stdout'), end: async () => undefined };
  const line = readVariable('PAGER') ?? 'less';
  if (!isTerminal('stdout') || !process.stdin.isTTY || line === 'cat' || readVariable('TERM') === 'dumb') return plain;
  // PAGER is a line for the shell, as it is everywhere.
  const looking = ['-c', `command -v -- ${line.split(' ')[0] ?? ''} >/dev/null 2>&1`];
  const isThere = await tryCommand('/bin/sh', looking).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
  if (!isThere) return plain;
  const child = spawn('/bin/sh', ['-c', line], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, LESS: readVariable('LESS') ?? lessOptions },
  });
  const closed = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  // Whoever leaves before the end closes it; the writer notices.
  child.stdin.on('error', () => undefined);
  return {
    sink: child.stdin,
    end: async () => {
      child.stdin.end();
      await closed;
    },
  };
}
