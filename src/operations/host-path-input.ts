// Paths of the host in an input, made absolute by the front that knows what they are relative to.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { guestPlace, streamPlace } from '../contract/files.ts';
import type { AnyOperation } from './define.ts';

/** Where an item of a list has its path */
const itemField = 'file_path';

/** The fields with absolute paths; in a list, those of its items. What is not a path is left for the schema. */
export function absolutePaths(
  input: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  base: string,
): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const value = input[field];
      if (typeof value === 'string') return [[field, absolutePath(value, base)]];
      return Array.isArray(value) ? [[field, value.map((item) => absoluteItem(item, base))]] : [];
    }),
  );
}

/** The input with absolute paths of the host, in its fields for these and in the places of a copy. */
export function withHostPaths(
  { hostPathFields = [], placeFields }: Pick<AnyOperation['definition'], 'hostPathFields' | 'placeFields'>,
  input: Readonly<Record<string, unknown>>,
  base: string,
): Record<string, unknown> {
  const places = placeFields === undefined ? {} : absolutePlaces(input, placeFields, base);
  return { ...input, ...absolutePaths(input, hostPathFields, base), ...places };
}

/** A place of the host made absolute; what its end says (`/` and `/.`) is kept. */
export function absolutePlace(place: string, base: string): string {
  if (place === streamPlace || guestPlace(place) !== undefined) return place;
  const path = absolutePath(place, base);
  if (place === '.' || place.endsWith('/.')) return `${path}/.`;
  return place.endsWith('/') && !path.endsWith('/') ? `${path}/` : path;
}

/** The places of an input, those of the host made absolute. */
function absolutePlaces(
  input: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  base: string,
): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const place = input[field];
      return typeof place === 'string' ? [[field, absolutePlace(place, base)]] : [];
    }),
  );
}

/** `~` is the home folder, as a shell would have it; nobody means a folder of that name. */
export function absolutePath(path: string, base: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : resolve(base, path);
}

function absoluteItem(item: unknown, base: string): unknown {
  if (typeof item !== 'object' || item === null || !(itemField in item)) return item;
  const path = item[itemField];
  return typeof path === 'string' ? { ...item, [itemField]: absolutePath(path, base) } : item;
}
