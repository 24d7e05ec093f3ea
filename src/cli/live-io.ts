// The terminal or the pipes of this process as the live streams of a command in a guest.
import { spawnSync } from 'node:child_process';
import type { RunControl, RunIo } from '../engine/engine-types.ts';
import { PyroError } from '../shared/errors.ts';
import type { Interrupts } from './interrupts.ts';

/** Streams for a command; a terminal when both ends are one. Throws `not_a_terminal` when one was demanded. */
export function createLiveIo(interrupts: Interrupts, wantsTerminal: boolean, endProgress: () => void): RunIo {
  const { stdin, stdout, stderr } = process;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  if (wantsTerminal && !isTerminal) {
    throw new PyroError('not_a_terminal', 'standard input and output are not a terminal', { hint: 'leave -t out' });
  }
  const size = (): { cols: number; rows: number } => ({ cols: stdout.columns ?? 80, rows: stdout.rows ?? 24 });
  const onStarted = (control: RunControl): (() => void) => {
    endProgress();
    const release = interrupts.forwardTo(control.signal);
    if (!isTerminal) return release;
    const onResize = (): void => control.resize(size());
    stdin.setRawMode(true);
    leaveOutputAlone();
    stdout.on('resize', onResize);
    return () => {
      release();
      stdout.off('resize', onResize);
      stdin.setRawMode(false);
      stdin.pause();
    };
  };
  return { stdin, stdout, stderr, terminal: isTerminal ? size() : undefined, onStarted };
}

/** Streams to write to, for what only shows: the terminal stays as it is, and signals end it. */
export function createOutputIo(interrupts: Interrupts, endProgress: () => void): RunIo {
  const { stdout, stderr } = process;
  const onStarted = (control: RunControl): (() => void) => {
    endProgress();
    return interrupts.forwardTo(control.signal);
  };
  return { stdin: undefined, stdout, stderr, terminal: undefined, onStarted };
}

/**
 * Node's raw mode still makes a carriage return and line feed of each line feed, which breaks full-screen programs.
 * The end of raw mode undoes this too; without stty only those programs suffer.
 */
function leaveOutputAlone(): void {
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'], timeout: 1000 });
}
