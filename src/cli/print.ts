// The only writer to standard output and standard error: results, errors and progress.
import { styleText } from 'node:util';
import type { CommandText } from '../operations/define.ts';
import { type ErrorReport, reportError } from '../shared/errors.ts';
import type { OnProgress, Progress } from '../shared/progress.ts';
import { formatBytes } from '../shared/units.ts';
import { readVariable } from '../system/environment-variables.ts';

export function printCommand({ stdout, stderr }: CommandText): void {
  process.stdout.write(stdout);
  if (stderr !== undefined) process.stderr.write(stderr);
}

export function printNote(text: string): void {
  process.stderr.write(text);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Prints a failure the way the caller wants it. */
export function printError(error: unknown, json: boolean): void {
  const report: ErrorReport = reportError(error);
  if (json) printJson({ error: report });
  else {
    const label = process.stderr.isTTY ? styleText('red', 'error') : 'error';
    process.stderr.write(`${label}: ${report.message}\n${report.hint === null ? '' : `hint: ${report.hint}\n`}`);
  }
  if (report.code === 'internal' && readVariable('PYRO_DEBUG') === '1' && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
  }
}

/** Progress on standard error: one line that changes on a terminal, a line for each new step elsewhere. */
export function createProgressPrinter(): { onProgress: OnProgress; end: () => void } {
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
  return message.replaceAll(/\d[\d.]*(?: (?:[KMGT]i)?B| m?s| %)?/g, '#');
}

function describe(progress: Progress): string {
  const { doneBytes, totalBytes } = progress;
  if (doneBytes === undefined || totalBytes === undefined || totalBytes === 0) return progress.message;
  const percent = Math.floor((100 * doneBytes) / totalBytes);
  return `${progress.message}: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} (${percent} %)`;
}
