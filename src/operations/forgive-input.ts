// Input as models and programs write it by habit, made what the operation takes; what is ambiguous is left to be refused.

import { wordFormOf } from '../contract/word-forms.ts';
import { PyroError } from '../shared/errors.ts';
import type { AnyOperation } from './define.ts';
import { forgiveFields } from './forgive-values.ts';
import { nodeOf } from './input-node.ts';

export interface ForgivenInput {
  readonly input: Readonly<Record<string, unknown>>;
  /** What was taken for what, for the caller to do better next time */
  readonly notes: readonly string[];
}

const deepest = 8;
const mostValues = 50_000;
const mostNotes = 6;
const longestNote = 200;

/** Throws `usage` for what no input of ours can be: too deep, too many values, names that belong to the language. */
export function forgiveInput(operation: AnyOperation, input: Readonly<Record<string, unknown>>): ForgivenInput {
  boundInput(input);
  const schema = operation.definition.input;
  if (schema.safeParse(input).success) return { input, notes: [] };
  const notes: string[] = [];
  const forgiven = forgiveFields(
    input,
    nodeOf(schema),
    (field) => {
      const own = schema.shape[field];
      return own === undefined ? undefined : wordFormOf(own);
    },
    { name: '', note: (text) => void notes.push(text.slice(0, longestNote)) },
  );
  // Texts of JSON have brought values that were not there before.
  boundInput(forgiven);
  const more = notes.length > mostNotes ? [`and ${notes.length - mostNotes} more of this kind`] : [];
  return { input: forgiven, notes: [...notes.slice(0, mostNotes), ...more] };
}

function boundInput(input: unknown): void {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value: input, depth: 0 }];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (++count > mostValues) throw new PyroError('usage', `the arguments have more than ${mostValues} values`);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= deepest) throw new PyroError('usage', `the arguments are more than ${deepest} levels deep`);
    if (!Array.isArray(value) && Object.hasOwn(value, '__proto__')) {
      throw new PyroError('usage', '__proto__ cannot be the name of an argument');
    }
    const values: unknown[] = Object.values(value);
    if (values.length + open.length > mostValues) {
      throw new PyroError('usage', `the arguments have more than ${mostValues} values`);
    }
    for (const each of values) open.push({ value: each, depth: depth + 1 });
  }
}
