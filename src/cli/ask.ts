// A question to the person at the terminal, and what it means when nobody is there.
import { createInterface } from 'node:readline/promises';
import { type FrontContext, invokeOperation } from '../daemon/client.ts';
import { PyroError } from '../shared/errors.ts';
import { visibleLines } from '../shared/visible.ts';
import type { CommandCall } from './command.ts';
import type { ProgressPrinter } from './progress-printer.ts';
import { isTerminal, ownOutput } from './terminal.ts';

type Input = Readonly<Record<string, unknown>>;

/** True when the command may do what it does; false when the person does not want it. */
export async function mayGoOn(
  { operation, json }: CommandCall,
  input: Input,
  context: FrontContext,
  progress: ProgressPrinter,
): Promise<boolean> {
  if (!operation.asks || input['force'] === true || input['dry_run'] === true) return true;
  const isSomebodyThere = process.stdin.isTTY && isTerminal('stderr') && !json;
  if (!isSomebodyThere && operation.definition.mustAsk !== true) return true;
  if (!isSomebodyThere) {
    throw new PyroError('usage', 'this command asks before it removes anything, but there is no terminal to ask on', {
      hint: '--force skips the question; --dry-run shows what would be done',
    });
  }
  const preview = await invokeOperation(operation, { ...input, dry_run: true }, context);
  progress.end();
  return preview.question === undefined || (await ask(preview.question, context.signal));
}

/** Only a yes is one; the end of the input is a no. */
async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  // Not as a terminal: keys stay with the system, so that Ctrl-C is the signal that it is everywhere.
  const lines = createInterface({ input: process.stdin, output: ownOutput('stderr'), terminal: false });
  const over = Promise.withResolvers<string>();
  lines.once('close', () => over.resolve(''));
  try {
    const answer = await Promise.race([lines.question(`${visibleLines(question)} [y/N] `, { signal }), over.promise]);
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
    process.stdin.pause();
  }
}
