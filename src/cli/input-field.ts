// The one field of an operation that a command takes from standard input when no option gives it.
import { isUtf8 } from 'node:buffer';
import { PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import type { CommandCall } from './command.ts';
import { readInput } from './read-input.ts';

/** As much as the longest patch may have */
const mostBytes = 24 * mebibyte;
const byCopy = 'copy it as a file of any size: pyro cp - ID:path';

/** Empty when the command takes nothing this way, when an option gave it, and on a terminal, where nothing is piped in. */
export async function readInputField(
  { operation, input }: CommandCall,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const wanted = operation.definition.inputField;
  if (wanted === undefined || process.stdin.isTTY || wanted.unless.some((field) => input[field] !== undefined))
    return {};
  const bytes = await readInput(signal, mostBytes, byCopy);
  if (!wanted.isBase64 && !isUtf8(bytes))
    throw new PyroError('usage', `the ${wanted.field} on standard input is not valid UTF-8`, {
      hint: 'copy it in as a file and apply it there: pyro cp CHANGES.diff ID:/tmp/ && pyro exec ID -- git apply /tmp/CHANGES.diff',
    });
  return { [wanted.field]: bytes.toString(wanted.isBase64 ? 'base64' : 'utf8') };
}
