// Paths of the host in an input, made absolute by the front that knows what they are relative to.
import { resolve } from 'node:path';

/** Where an item of a list has its path */
const itemField = 'file_path';

/** The fields with absolute paths; in a list, those of its items. What is no path is left for the schema. */
export function absolutePaths(
  input: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  base: string,
): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const value = input[field];
      if (typeof value === 'string') return [[field, resolve(base, value)]];
      return Array.isArray(value) ? [[field, value.map((item) => absoluteItem(item, base))]] : [];
    }),
  );
}

function absoluteItem(item: unknown, base: string): unknown {
  if (typeof item !== 'object' || item === null || !(itemField in item)) return item;
  const path = item[itemField];
  return typeof path === 'string' ? { ...item, [itemField]: resolve(base, path) } : item;
}
