// Results, notes and errors as they are printed.
import { styleText } from 'node:util';
import type { CommandText } from '../operations/define.ts';
import { type ErrorReport, isPyroError, reportError } from '../shared/errors.ts';
import { commandCall } from '../shared/hint-words.ts';
import { visibleLines } from '../shared/visible.ts';
import { readVariable } from '../system/environment-variables.ts';
import { isTerminal, writeContent, writeNote, writeOwn, writeText } from './terminal.ts';

/** With `isRaw` a terminal gets the bytes of a guest as they are. */
export async function printCommand(
  { stdout, stderr, isContent = false }: CommandText,
  isRaw: boolean,
  signal?: AbortSignal,
): Promise<void> {
  if (isContent || typeof stdout !== 'string') await writeContent(stdout, isRaw, signal);
  else await writeText(stdout, signal);
  if (stderr !== undefined) writeNote(stderr);
}

export async function printJson(value: unknown, signal?: AbortSignal): Promise<void> {
  await writeText(JSON.stringify(value, null, 2), signal);
  await writeText('\n', signal);
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
    const label = isTerminal('stderr') ? styleText('red', 'error') : 'error';
    const hint = report.hint === null ? '' : `hint: ${visibleLines(report.hint)}\n`;
    writeOwn(`${label}: ${visibleLines(report.message)}\n${hint}`);
  }
  if (report.code === 'internal' && readVariable('PYRO_DEBUG') === '1' && error instanceof Error) {
    writeNote(`${error.stack}\n`);
  }
}
