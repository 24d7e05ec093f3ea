// Values that no command line may hold, since other users can read it: `NAME=-` takes one from standard input.
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import type { CommandCall } from './command.ts';
import { flagOf } from './options.ts';
import { readInput } from './read-input.ts';

/** More than any field takes */
const mostBytes = mebibyte;

const givenSchema = z.object({ name: z.string(), value: z.string() });

/** The fields with their values. Throws `usage` for a value on the command line, and for a standard input without one. */
export async function readPipedValues(
  { operation, input }: CommandCall,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown[]>>> {
  const { pipedFields = [], name: operationName } = operation.definition;
  const wanted = pipedFields.flatMap((field) =>
    listOf(input[field])
      .filter(isGiven)
      .map((item) => ({ field, item })),
  );
  const [first, second] = wanted;
  if (first === undefined) return {};
  const flag = flagOf(first.field, { type: 'array' });
  const hint = `printf %s "$VALUE" | pyro ${operationName.replaceAll('.', ' ')} ${flag} NAME=-`;
  const usage = (message: string): PyroError => new PyroError('usage', message, { hint });
  if (wanted.some(({ item }) => item.value !== '-'))
    throw usage(`${flag} takes only NAME=-: other users can read what is on a command line`);
  if (second !== undefined) throw usage(`only one ${flag} can come from standard input`);
  const { name } = first.item;
  if (process.stdin.isTTY) throw usage(`standard input is a terminal, which would display the value of ${name}`);
  const value = await readValue(signal);
  if (value.length === 0) throw usage(`standard input is empty: no value for ${name}`);
  if (value.length > mostBytes) throw usage(`standard input has more than ${mostBytes} bytes`);
  if (!isUtf8(value)) throw usage(`the value of ${name} on standard input is not valid UTF-8`);
  const items = listOf(input[first.field]);
  return { [first.field]: items.map((item) => (isGiven(item) ? { name, value: value.toString('utf8') } : item)) };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** True for an item that has its value on the command line, or `-` for it. */
function isGiven(item: unknown): item is z.infer<typeof givenSchema> {
  return givenSchema.safeParse(item).success;
}

/** All of it, without the line break that most programs end their output with. */
async function readValue(signal: AbortSignal): Promise<Buffer> {
  const all = await readInput(signal, mostBytes + 1);
  return all.at(-1) === 0x0a ? all.subarray(0, -1) : all;
}
