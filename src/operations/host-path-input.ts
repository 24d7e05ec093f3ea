// Paths of the host in an input, made absolute by the front that knows what they are relative to.
import { isAbsolute, resolve } from 'node:path';

/** The fields with absolute paths; in a list each word is NAME=PATH. What is no path is left for the schema. */
export function absolutePaths(
  input: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  base: string,
): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const value = input[field];
      if (typeof value === 'string') return [[field, resolve(base, value)]];
      return Array.isArray(value) ? [[field, value.map((word) => absolutePair(word, base))]] : [];
    }),
  );
}

function absolutePair(word: unknown, base: string): unknown {
  const match = typeof word === 'string' ? /^([^=]+)=(.+)$/s.exec(word) : null;
  if (match?.[2] === undefined || isAbsolute(match[2])) return word;
  return `${match[1]}=${resolve(base, match[2])}`;
}
