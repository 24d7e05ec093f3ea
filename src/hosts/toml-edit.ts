// TOML edited in place: only the lines of our own table are touched, wherever its table has lines of its own.
import { isDeepStrictEqual } from 'node:util';
import { parse, patch, stringify } from '@decimalturn/toml-patch';
import { z } from 'zod';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import type { ConfigEditor, EntryPath, Fields, TextFault } from './document.ts';
import { removePlaces, setPlaces } from './toml-places.ts';
import { guessSections, joinSections, type Section, splitSections } from './toml-sections.ts';

const tableSchema = z.record(z.string(), z.unknown());
type Table = z.infer<typeof tableSchema>;
const positionSchema = z.object({ line: z.number(), column: z.number() });

export const tomlEditor: ConfigEditor = {
  faultOf,
  valueAt: (text, path) => valueIn(read(text), path),
  setFields: (text, path, fields) => {
    const before = read(text);
    const old = tableSchema.catch({}).parse(valueIn(before, path));
    const wanted = merge(old, fields);
    if (isDeepStrictEqual(old, wanted)) return text;
    const expected = withValue(before, path, wanted);
    const raw = valueIn(before, path);
    const anew = (bare: string): string => setPlaces(bare, path, undefined, wanted) ?? append(bare, path, wanted);
    const attempts =
      raw === undefined
        ? [() => anew(text)]
        : [
            () => editSection(text, path, wanted),
            () => setPlaces(text, path, old, wanted),
            () => anew(removePlaces(text, path)),
          ];
    return firstThatHolds(attempts, expected, path);
  },
  removeEntry: (text, path) =>
    firstThatHolds([() => removePlaces(text, path)], withValue(read(text), path, undefined), path),
  // TOML forbids it, so that such a text is one with a fault.
  isRepeated: () => false,
  mend: mendToml,
};

function faultOf(text: string): TextFault | undefined {
  try {
    read(text);
    return undefined;
  } catch (error) {
    const at = positionSchema.safeParse(error);
    const lines = messageOf(error).trim().split('\n');
    return {
      message: lines.at(-1)?.trim() ?? 'does not parse',
      line: at.data?.line ?? 1,
      column: (at.data?.column ?? 0) + 1,
    };
  }
}

function read(text: string): Table {
  return tableSchema.parse(parse(text, { integersAsBigInt: 'asNeeded' }));
}

function valueIn(table: unknown, path: EntryPath): unknown {
  return path.reduce<unknown>((value, name) => tableSchema.safeParse(value).data?.[name], table);
}

function withValue(table: Table, path: EntryPath, value: unknown): Table {
  const [name = '', ...rest] = path;
  const copy = { ...table };
  if (rest.length > 0) copy[name] = withValue(tableSchema.catch({}).parse(table[name]), rest, value);
  else if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}

function merge(old: Table, fields: Fields): Table {
  return Object.fromEntries(Object.entries({ ...old, ...fields }).filter(([, value]) => value !== undefined));
}

function isOurs({ name }: Section, path: EntryPath): boolean {
  return path.every((part, index) => name[index] === part);
}

function editSection(text: string, path: EntryPath, wanted: Table): string | undefined {
  const sections = splitSections(text);
  const at = sections.findIndex(({ name }) => name.length === path.length && isDeepStrictEqual(name, [...path]));
  const section = sections[at];
  if (section === undefined) return undefined;
  // Tables below ours have lines of their own and stay as they are.
  const own = tableSchema.catch({}).parse(valueIn(read(section.body), path));
  const wantedHere = Object.fromEntries(
    Object.entries(wanted).filter(([field, value]) => Object.hasOwn(own, field) || !isTable(value)),
  );
  const body = patch(section.body, withValue({}, path, wantedHere));
  return joinSections(sections.with(at, { ...section, body }));
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function append(text: string, path: EntryPath, wanted: Table): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const start = text === '' ? '' : text.endsWith('\n') ? `${text}${eol}` : `${text}${eol}${eol}`;
  return start + sectionText(path, wanted, eol);
}

function sectionText(path: EntryPath, wanted: Table, eol: string): string {
  const lines = Object.entries(wanted)
    .filter(([, value]) => !isTable(value))
    .map(([field, value]) => stringify({ [field]: value }).trim());
  const tables = Object.entries(wanted).filter(([, value]) => isTable(value));
  const below = tables.map(([field, value]) => eol + sectionText([...path, field], tableSchema.parse(value), eol));
  const name = path.map((part) => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))).join('.');
  return [`[${name}]`, ...lines, ''].join(eol) + below.join('');
}

function commentsBehind(section: Section): Section[] {
  return [{ ...section, name: [], header: '', body: '' }];
}

/** The first text that says what it should; the others are tried in turn, since an entry can be written in several ways. */
function firstThatHolds(attempts: readonly (() => string | undefined)[], expected: Table, path: EntryPath): string {
  for (const attempt of attempts) {
    const text = attempt();
    if (text !== undefined && faultOf(text) === undefined && isDeepStrictEqual(plain(read(text)), plain(expected)))
      return text;
  }
  throw new PyroError('host_config_invalid', `the table ${path.join('.')} is written in a form that cannot be edited`, {
    hint: 'edit it by hand; pyro host print-config codex prints what belongs there',
  });
}

/** Without empty tables, which a file can say or leave out. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date || !isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(tableSchema.parse(value))
      .map(([name, each]): [string, unknown] => [name, plain(each)])
      .filter(([, each]) => !isDeepStrictEqual(each, {})),
  );
}

/** What is broken in our own table is ours to write again, with what of it can still be read; the rest must be sound. */
function mendToml(text: string, path: EntryPath): string | undefined {
  if (faultOf(text) === undefined) return text;
  const sections = guessSections(text);
  const rest = joinSections(
    sections.flatMap((section) => (isOurs(section, path) ? commentsBehind(section) : [section])),
  );
  if (faultOf(rest) !== undefined) return undefined;
  let kept: Table = {};
  for (const section of sections.filter((each) => isOurs(each, path))) {
    for (const part of readable(section)) kept = deepMerge(kept, tableSchema.catch({}).parse(valueIn(part, path)));
  }
  // The empty line that parted it from the text before comes again.
  const appended = append(rest.replace(/(^|\n)\r?\n$/, '$1'), path, kept);
  if (faultOf(appended) === undefined) return appended;
  // Beside an inline table there is no room for a section.
  try {
    return tomlEditor.setFields(rest, path, kept);
  } catch (error) {
    if (isPyroError(error, 'host_config_invalid')) return undefined;
    throw error;
  }
}

/** A whole section, or else each line of it that can be read alone. */
function readable(section: Section): Table[] {
  if (faultOf(section.body) === undefined) return [read(section.body)];
  return section.body
    .split('\n')
    .slice(1)
    .map((line) => `${section.header}\n${line}`)
    .filter((text) => faultOf(text) === undefined)
    .map(read);
}

function deepMerge(one: Table, other: Table): Table {
  const merged = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const old = merged[name];
    merged[name] = isTable(old) && isTable(value) ? deepMerge(tableSchema.parse(old), tableSchema.parse(value)) : value;
  }
  return merged;
}
