// Progress on standard error: one line that changes on a terminal, a line for each new step elsewhere.
import type { OnProgress, Progress } from '../shared/progress.ts';
import { cutToWidth } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { readVariable } from '../system/environment-variables.ts';
import { columnsOf, isTerminal, writeOwn } from './terminal.ts';

export interface ProgressPrinter {
  readonly onProgress: OnProgress;
  readonly end: () => void;
}

export interface ProgressScreen {
  readonly write: (text: string) => void;
  /** Columns, asked for each line: a terminal changes its size; some do not know theirs and say 0 */
  readonly columns: () => number;
  /** True where a line can be taken away again */
  readonly isLive: boolean;
  readonly now: () => number;
}

/** A person is shown no more amounts than so, `ms` */
const drawMs = 100;
/** A step that takes longer is shown with its time: it tells that something continues, `ms` */
const patienceMs = 3000;
/**
 * The cursor waits at the beginning of the line: a terminal that is made narrower breaks the line in two, and all of it lies
 * behind the cursor still. A terminal that counts wide characters otherwise than we do cuts the line, in place of a new one.
 */
const clear = '\r\u001b[J';
const withoutWrap = (text: string): string => `\u001b[?7l${text}\u001b[?7h\r`;

/** Quiet ones print nothing at all. */
export function createProgressPrinter(isQuiet: boolean, screen = standardError()): ProgressPrinter {
  if (isQuiet) return { onProgress: () => undefined, end: () => undefined };
  return screen.isLive ? changingLine(screen) : stepLines(screen);
}

function standardError(): ProgressScreen {
  // Whoever wants no colours, or has a terminal that knows none, wants no other orders to the terminal.
  const isPlain = readVariable('NO_COLOR') !== undefined || readVariable('TERM') === 'dumb';
  return {
    write: writeOwn,
    columns: () => columnsOf('stderr'),
    isLive: isTerminal('stderr') && !isPlain,
    now: Date.now,
  };
}

function changingLine({ write, columns, now }: ProgressScreen): ProgressPrinter {
  let shown: Progress | undefined;
  let begunAt = 0;
  let nextAt = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    if (shown === undefined) return;
    nextAt = now() + drawMs;
    write(`${clear}${withoutWrap(lineOf(shown, now() - begunAt, columns()))}`);
  };
  const onProgress = (progress: Progress): void => {
    const isNew = progress.message !== shown?.message;
    if (isNew) begunAt = now();
    shown = progress;
    if (isNew || now() >= nextAt) draw();
    timer ??= setInterval(draw, 1000).unref();
  };
  const end = (): void => {
    clearInterval(timer);
    timer = undefined;
    if (shown !== undefined) write(clear);
    shown = undefined;
  };
  return { onProgress, end };
}

function stepLines({ write }: ProgressScreen): ProgressPrinter {
  let last = '';
  const onProgress = ({ phase, message, isPassing }: Progress): void => {
    if (isPassing === true || withoutAmounts(message) === last) return;
    last = withoutAmounts(message);
    write(`${phase === message ? '' : `[${phase}] `}${visible(message)}\n`);
  };
  return { onProgress, end: () => undefined };
}

/** A log is told of each new step, not of each second of one. */
function withoutAmounts(message: string): string {
  return message.replaceAll(/\d[\d.]* (?:(?:[KMGT]i)?B|m?s|%)(?![a-z])/gi, '#');
}

/** What it does and how far it is; where that is too long, what it does is cut. */
function lineOf(progress: Progress, elapsedMs: number, columns: number): string {
  const amounts = `${amountsOf(progress)}${elapsedMs < patienceMs ? '' : `, ${Math.floor(elapsedMs / 1000)} s`}`;
  const message = visible(progress.message);
  const room = Math.max(columns - 1 - amounts.length, 0);
  return (room > 1 ? `${cutToWidth(room, message)}${amounts}` : amounts.slice(2)).slice(0, Math.max(columns - 1, 0));
}

function amountsOf({ doneBytes, totalBytes }: Progress): string {
  if (doneBytes === undefined) return '';
  if (totalBytes === undefined || totalBytes === 0) return `: ${formatBytes(doneBytes)}`;
  // What grows while it is read is never more than all.
  const percent = Math.min(100, Math.floor((100 * doneBytes) / totalBytes));
  return `: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} (${percent} %)`;
}
