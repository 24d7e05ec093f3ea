// The one field of an operation that a command takes from standard input when no option gives it.
import { buffer } from 'node:stream/consumers';
import type { CommandCall } from './command.ts';

/** Empty when the command takes nothing this way, when an option gave it, and on a terminal, where nothing is piped in. */
export async function readInputField({ operation, input }: CommandCall): Promise<Readonly<Record<string, string>>> {
  const wanted = operation.definition.inputField;
  if (wanted === undefined || process.stdin.isTTY || wanted.unless.some((field) => input[field] !== undefined))
    return {};
  const bytes = await buffer(process.stdin);
  return { [wanted.field]: bytes.toString(wanted.isBase64 ? 'base64' : 'utf8') };
}
