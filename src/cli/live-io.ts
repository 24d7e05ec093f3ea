// The terminal or the pipes of this process as the live streams of a command in a guest.
import type { RunControl, RunIo } from '../contract/call.ts';
import { PyroError } from '../shared/errors.ts';
import { tryCommandNow } from '../system/command-now.ts';
import type { Interrupts } from './interrupts.ts';

export interface LiveWish {
  /** `-t` */
  readonly wantsTerminal: boolean;
  /** `-i`: standard input is passed on even where it is a terminal */
  readonly wantsInput: boolean;
  /** A terminal where both ends are one, even when nobody asks */
  readonly takesTerminal: boolean;
  /** `--json`: the output belongs into the result */
  readonly isCaptured: boolean;
}

/** Streams for a command. Throws `not_a_terminal` when a terminal was demanded and there is none. */
export function createLiveIo(interrupts: Interrupts, wish: LiveWish, endProgress: () => void): RunIo {
  const { stdin, stdout, stderr } = process;
  const hasTerminal = stdin.isTTY && stdout.isTTY;
  if (wish.wantsTerminal && (!hasTerminal || wish.isCaptured)) {
    throw new PyroError('not_a_terminal', 'standard input and output are not a terminal', { hint: 'leave out -t' });
  }
  const isTerminal = hasTerminal && !wish.isCaptured && (wish.wantsTerminal || wish.takesTerminal);
  // A person at a terminal types for the next command, unless this one is asked to take it.
  const takesInput = !stdin.isTTY || isTerminal || wish.wantsInput || wish.takesTerminal;
  // Some terminals do not know their size and say 0.
  const size = (): { cols: number; rows: number } => ({ cols: stdout.columns || 80, rows: stdout.rows || 24 });
  const onStarted = (control: RunControl): (() => void) => {
    endProgress();
    const release = interrupts.forwardTo(control.signal, control.followedBy);
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
  return {
    stdin: takesInput ? stdin : undefined,
    stdout: wish.isCaptured ? undefined : stdout,
    stderr: wish.isCaptured ? undefined : stderr,
    terminal: isTerminal ? size() : undefined,
    onStarted,
  };
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
  try {
    tryCommandNow('stty', ['-opost'], { hasTerminal: true, timeoutMs: 1000 });
  } catch {
    // Said above.
  }
}
