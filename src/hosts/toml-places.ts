// An entry of a TOML text wherever people write it: as a table, with dotted keys, in an inline table; set and taken out in place.
import { isDeepStrictEqual } from 'node:util';
import { stringify } from '@decimalturn/toml-patch';
import type { EntryPath } from './document.ts';
import { type Entry, type Statement, scanInline, scanToml } from './toml-scan.ts';

type Table = Readonly<Record<string, unknown>>;

/** Takes away every statement of the entry, and the entry out of an inline table that holds it. */
export function removePlaces(text: string, path: EntryPath): string {
  let next = text;
  for (;;) {
    const found = findInline(next, path);
    const own = found?.entries.findLast((entry) => isWithin(entry.path, path));
    if (found === undefined || own === undefined) break;
    next = removeInline(next, found, own);
  }
  const statements = scanToml(next);
  for (const statement of statements.toReversed()) {
    if (!isWithin(statement.path, path)) continue;
    const at = statements.indexOf(statement);
    const before = statements[at - 1];
    // Comments within a table of ours are ours; those behind it mostly belong to what follows.
    const isInTable = before !== undefined && isWithin(before.path, path) && hasOwnHeader(statements, at, path);
    next = next.slice(0, isInTable ? before.end : statement.start) + next.slice(statement.end);
    // The empty line above a table in the end parts it from the text before.
    if (statement.kind === 'header' && statement.start === next.length) next = next.replace(/(^|\n)\r?\n$/, '$1');
  }
  return next;
}

/** Writes an entry that has no table of its own; undefined where it is in none of these forms. */
export function setPlaces(text: string, path: EntryPath, old: Table | undefined, wanted: Table): string | undefined {
  const found = findInline(text, path);
  if (found !== undefined) return setInline(text, found, path, old, wanted);
  const statements = scanToml(text);
  const whole = statements.find((each) => each.kind === 'pair' && isDeepStrictEqual([...each.path], [...path]));
  if (whole !== undefined) return splice(text, whole.valueStart, whole.valueEnd, inlineText(wanted));
  const dotted = statements.filter(({ kind, path: own }) => kind === 'pair' && isWithin(own, path));
  if (old === undefined || dotted.length === 0) return undefined;
  return setDotted(text, dotted, path, old, wanted);
}

interface InlineTable {
  readonly path: readonly string[];
  readonly open: number;
  readonly close: number;
  readonly entries: readonly Entry[];
}

/** The deepest inline table above the entry. */
function findInline(text: string, path: EntryPath): InlineTable | undefined {
  let above: Entry | undefined = scanToml(text).find((each) => each.kind === 'pair' && isAbove(text, each, path));
  let found: InlineTable | undefined;
  while (above !== undefined) {
    const { entries, close } = scanInline(text, above.valueStart, above.path);
    found = { path: above.path, open: above.valueStart, close, entries };
    above = entries.find((entry) => isAbove(text, entry, path));
  }
  return found;
}

function isAbove(text: string, entry: Entry, path: EntryPath): boolean {
  return text[entry.valueStart] === '{' && entry.path.length < path.length && isWithin(path, entry.path);
}

function isWithin(path: EntryPath, above: EntryPath): boolean {
  return above.every((part, index) => path[index] === part);
}

function hasOwnHeader(statements: readonly Statement[], at: number, path: EntryPath): boolean {
  const header = statements.slice(0, at + 1).findLast(({ kind }) => kind === 'header');
  return header !== undefined && isWithin(header.path, path);
}

function setInline(text: string, table: InlineTable, path: EntryPath, old: Table | undefined, wanted: Table) {
  const whole = table.entries.find((entry) => isDeepStrictEqual([...entry.path], [...path]));
  if (whole !== undefined) return splice(text, whole.valueStart, whole.valueEnd, inlineText(wanted));
  if (old !== undefined) return undefined;
  const body = `${keyText(path.slice(table.path.length))} = ${inlineText(wanted)}`;
  const last = table.entries.at(-1);
  if (last === undefined) return splice(text, table.open + 1, table.close, ` ${body} `);
  return splice(text, last.valueEnd, last.valueEnd, `, ${body}`);
}

function removeInline(text: string, table: InlineTable, own: Entry): string {
  const at = table.entries.indexOf(own);
  const next = table.entries[at + 1];
  if (next !== undefined) return splice(text, own.start, next.start, '');
  const before = table.entries[at - 1];
  if (before !== undefined) return splice(text, before.valueEnd, own.valueEnd, '');
  return splice(text, table.open + 1, table.close, '');
}

/** Changes from the end, so that the offsets before hold. */
function setDotted(text: string, dotted: readonly Statement[], path: EntryPath, old: Table, wanted: Table): string {
  const first = dotted[0];
  if (first === undefined) return text;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const key = text.slice(first.start, first.valueStart).replace(/\s*=\s*$/, '');
  const above = key.slice(0, key.lastIndexOf('.') + 1);
  const added = Object.entries(wanted).filter(([field]) => !Object.hasOwn(old, field));
  const lines = added.map(([field, value]) => `${above}${keyText([field])} = ${inlineText(value)}${eol}`).join('');
  let next = text;
  const last = dotted.at(-1);
  if (last !== undefined && lines !== '')
    next = splice(next, last.end, last.end, next.slice(0, last.end).endsWith('\n') ? lines : eol + lines);
  for (const statement of dotted.toReversed()) {
    const field = statement.path[path.length] ?? '';
    const isEnded = text.slice(0, statement.end).endsWith('\n');
    if (!Object.hasOwn(wanted, field))
      next = splice(next, statement.start, statement.end + (isEnded || lines === '' ? 0 : eol.length), '');
    else if (statement.path.length === path.length + 1 && !isDeepStrictEqual(old[field], wanted[field]))
      next = splice(next, statement.valueStart, statement.valueEnd, inlineText(wanted[field]));
  }
  return next;
}

function keyText(path: EntryPath): string {
  return path.map((part) => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))).join('.');
}

function inlineText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inlineText).join(', ')}]`;
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    const pairs = Object.entries(value).map(([name, each]) => `${keyText([name])} = ${inlineText(each)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  return stringify({ value })
    .trim()
    .replace(/^value = /, '');
}

function splice(text: string, from: number, to: number, insert: string): string {
  return text.slice(0, from) + insert + text.slice(to);
}
