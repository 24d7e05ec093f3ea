// The only writer to standard output and standard error: results, errors and progress.
import { styleText } from 'node:util';
import type { CommandText } from '../operations/define.ts';
import { type ErrorReport, reportError } from '../shared/errors.ts';
import { commandCall } from '../shared/hint-words.ts';
import type { OnProgress, Progress } from '../shared/progress.ts';
import { formatBytes } from '../shared/units.ts';
import { visibleLines } from '../shared/visible.ts';
import { writeTo } from '../shared/write-to.ts';
import { readVariable } from '../system/environment-variables.ts';

/**
 * Writes to standard output and comes back when the system has taken it, so that a slow reader slows down whoever prints.
 * Throws `output_closed` when the reader has gone, `output_failed` when there is no room, or the signal's reason.
 */
export async function write(bytes: string | Uint8Array, signal?: AbortSignal): Promise<void> {
  await writeTo(process.stdout, bytes, signal);
}

export async function printCommand({ stdout, stderr }: CommandText, signal?: AbortSignal): Promise<void> {
  await write(stdout, signal);
  if (stderr !== undefined) printNote(stderr);
}

export function printNote(text: string): void {
  process.stderr.write(text);
}

export async function printJson(value: unknown, signal?: AbortSignal): Promise<void> {
  await write(JSON.stringify(value, null, 2), signal);
  await write('\n', signal);
}

/** Prints a failure the way the caller wants it. */
export async function printError(error: unknown, json: boolean): Promise<void> {
  const report: ErrorReport = reportError(error, commandCall);
  if (json) await printJson({ error: report });
  else {
    const label = process.stderr.isTTY ? styleText('red', 'error') : 'error';
    const hint = report.hint === null ? '' : `hint: ${visibleLines(report.hint)}\n`;
    process.stderr.write(`${label}: ${visibleLines(report.message)}\n${hint}`);
  }
  if (report.code === 'internal' && readVariable('PYRO_DEBUG') === '1' && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
  }
}

export interface ProgressPrinter {
  readonly onProgress: OnProgress;
  readonly end: () => void;
}

/** Progress on standard error: one line that changes on a terminal, a line for each new step elsewhere. */
export function createProgressPrinter(): ProgressPrinter {
  const isLive = process.stderr.isTTY;
  let last = '';
  let isOpen = false;
  let nextAt = 0;
  const onProgress = (progress: Progress): void => {
    if (isLive) {
      const now = Date.now();
      if (progress.message === last && now < nextAt) return;
      nextAt = now + 100;
      // Some terminals do not know their width and say 0.
      const width = process.stderr.columns || 80;
      process.stderr.write(`\r\u001b[K${describe(progress).slice(0, width - 1)}`);
      isOpen = true;
    } else if (withoutAmounts(progress.message) !== withoutAmounts(last)) {
      const phase = progress.phase === progress.message ? '' : `[${progress.phase}] `;
      process.stderr.write(`${phase}${progress.message}\n`);
    }
    last = progress.message;
  };
  const end = (): void => {
    if (isOpen) process.stderr.write('\r\u001b[K');
    isOpen = false;
  };
  return { onProgress, end };
}

/** A log is told of each new step, not of each second of one. */
function withoutAmounts(message: string): string {
  return message.replaceAll(/\d[\d.]* (?:(?:[KMGT]i)?B|m?s|%)(?![a-z])/gi, '#');
}

function describe(progress: Progress): string {
  const { doneBytes, totalBytes } = progress;
  if (doneBytes === undefined) return progress.message;
  if (totalBytes === undefined || totalBytes === 0) return `${progress.message}: ${formatBytes(doneBytes)}`;
  const percent = Math.floor((100 * doneBytes) / totalBytes);
  return `${progress.message}: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} (${percent} %)`;
}
