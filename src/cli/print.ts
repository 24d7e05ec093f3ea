// The writer to standard output and standard error: results, notes and errors.
import { styleText } from 'node:util';
import type { CommandText } from '../operations/define.ts';
import { type ErrorReport, isPyroError, reportError } from '../shared/errors.ts';
import { commandCall } from '../shared/hint-words.ts';
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

/** A reader that has gone wants no failure told either; that there is no room for it is told at the end of the process. */
async function asFarAsItGoes(printing: Promise<void>): Promise<void> {
  await printing.catch((error: unknown) => {
    if (!isPyroError(error, 'output_closed', 'output_failed')) throw error;
  });
}

/** Prints a failure the way the caller wants it. */
export async function printError(error: unknown, json: boolean): Promise<void> {
  const report: ErrorReport = reportError(error, commandCall);
  if (json) await asFarAsItGoes(printJson({ error: report }));
  else {
    const label = process.stderr.isTTY ? styleText('red', 'error') : 'error';
    const hint = report.hint === null ? '' : `hint: ${visibleLines(report.hint)}\n`;
    process.stderr.write(`${label}: ${visibleLines(report.message)}\n${hint}`);
  }
  if (report.code === 'internal' && readVariable('PYRO_DEBUG') === '1' && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
  }
}
