// The terminal or the pipes of this process as the live streams of a command in a guest.
import type { RunControl, RunIo } from '../contract/call.ts';
import { PyroError } from '../shared/errors.ts';
import { tryCommandNow } from '../system/command-now.ts';
import type { Interrupts } from './interrupts.ts';
import { columnsOf, isTerminal, liveOutput, onResize, rowsOf } from './terminal.ts';
import type { FilterKind } from './terminal-filter.ts';

export interface LiveWish {
  /** `-t` */
  readonly wantsTerminal: boolean;
  /** `-i`: standard input is passed on even where it is a terminal */
  readonly wantsInput: boolean;
  /** A terminal where both ends are one, even when nobody asks */
  readonly takesTerminal: boolean;
  /** `--json`: the output belongs into the result */
  readonly isCaptured: boolean;
  /** `--raw-terminal`: a terminal gets the bytes as they are */
  readonly isRaw: boolean;
}

/** Streams that leave a terminal as they found it. */
export interface OpenIo extends Disposable {
  readonly io: RunIo;
}

/** Streams for a command. Throws `not_a_terminal` when a terminal was demanded and there is none. */
export function createLiveIo(interrupts: Interrupts, wish: LiveWish, endProgress: () => void): OpenIo {
  const { stdin } = process;
  const hasTerminal = stdin.isTTY && isTerminal('stdout');
  if (wish.wantsTerminal && (!hasTerminal || wish.isCaptured)) {
    throw new PyroError('not_a_terminal', 'standard input and output are not a terminal', { hint: 'leave out -t' });
  }
  const hasScreen = hasTerminal && !wish.isCaptured && (wish.wantsTerminal || wish.takesTerminal);
  // A person at a terminal types for the next command, unless this one is asked to take it.
  const takesInput = !stdin.isTTY || hasScreen || wish.wantsInput || wish.takesTerminal;
  // Some terminals do not know their size and say 0.
  const size = (): { cols: number; rows: number } => ({ cols: columnsOf('stdout'), rows: rowsOf('stdout') });
  const onStarted = (control: RunControl): (() => void) => {
    endProgress();
    const release = interrupts.forwardTo(control.signal, control.followedBy);
    if (!hasScreen) return release;
    stdin.setRawMode(true);
    leaveOutputAlone();
    const ignore = onResize(() => control.resize(size()));
    return () => {
      release();
      ignore();
      stdin.setRawMode(false);
      stdin.pause();
    };
  };
  const outputs = wish.isCaptured ? undefined : openOutputs(hasScreen ? 'screen' : 'lines', wish.isRaw);
  const io: RunIo = {
    stdin: takesInput ? stdin : undefined,
    stdout: outputs?.stdout.stream,
    stderr: outputs?.stderr.stream,
    terminal: hasScreen ? size() : undefined,
    onStarted,
  };
  return { io, [Symbol.dispose]: () => outputs?.end() };
}

function openOutputs(kind: FilterKind, isRaw: boolean) {
  const stdout = liveOutput('stdout', kind, isRaw);
  const stderr = liveOutput('stderr', kind, isRaw);
  const end = (): void => {
    stdout.end();
    stderr.end();
  };
  return { stdout, stderr, end };
}

/** Streams to write to, for what only shows: the terminal stays as it is, and signals end it. */
export function createOutputIo(interrupts: Interrupts, isRaw: boolean, endProgress: () => void): OpenIo {
  const { stdout, stderr, end } = openOutputs('lines', isRaw);
  const onStarted = (control: RunControl): (() => void) => {
    endProgress();
    return interrupts.forwardTo(control.signal);
  };
  const io = { stdin: undefined, stdout: stdout.stream, stderr: stderr.stream, terminal: undefined, onStarted };
  return { io, [Symbol.dispose]: end };
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
