// Where the statements of a TOML text stand: headers, keys and values by offset. The text has been parsed before, so that it is sound.
import { parse } from '@decimalturn/toml-patch';
import { PyroError } from '../shared/errors.ts';

export interface Entry {
  /** Whole name, with that of the table it stands in */
  readonly path: readonly string[];
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

export interface Statement extends Entry {
  readonly kind: 'header' | 'pair';
  /** Behind the line end of its last line */
  readonly end: number;
}

export function scanToml(text: string): Statement[] {
  const statements: Statement[] = [];
  let table: readonly string[] = [];
  let at = skipTrivia(text, 0);
  while (at < text.length) {
    const start = text.lastIndexOf('\n', at - 1) + 1;
    const isHeader = text[at] === '[';
    const brackets = text.startsWith('[[', at) ? 2 : 1;
    const key = readKey(text, isHeader ? at + brackets : at);
    const valueStart = isHeader ? key.end : skipBlanks(text, key.end + 1);
    const valueEnd = isHeader ? key.end + brackets : skipValue(text, valueStart);
    const lineEnd = text.indexOf('\n', valueEnd);
    const end = lineEnd < 0 ? text.length : lineEnd + 1;
    if (isHeader) table = key.parts;
    const path = isHeader ? key.parts : [...table, ...key.parts];
    statements.push({ kind: isHeader ? 'header' : 'pair', path, start, end, valueStart, valueEnd });
    at = skipTrivia(text, end);
  }
  return statements;
}

/** What stands in an inline table that opens at `open`. */
export function scanInline(text: string, open: number, table: readonly string[]): { entries: Entry[]; close: number } {
  const entries: Entry[] = [];
  let at = skipTrivia(text, open + 1);
  while (at < text.length && text[at] !== '}') {
    const key = readKey(text, at);
    const valueStart = skipTrivia(text, key.end + 1);
    const valueEnd = skipValue(text, valueStart);
    entries.push({ path: [...table, ...key.parts], start: at, valueStart, valueEnd });
    at = skipTrivia(text, valueEnd);
    if (text[at] === ',') at = skipTrivia(text, at + 1);
  }
  return { entries, close: at };
}

/** A dotted key; `end` is where `=` or `]` stands. */
function readKey(text: string, from: number): { parts: string[]; end: number } {
  const parts: string[] = [];
  let at = from;
  for (;;) {
    at = skipBlanks(text, at);
    const end =
      text[at] === '"' || text[at] === "'"
        ? skipString(text, at)
        : at + (/^[^\s.=\]]*/.exec(text.slice(at, at + 4096))?.[0].length ?? 0);
    const word = text.slice(at, end);
    parts.push(/^["']/.test(word) ? unquoted(word) : word);
    at = skipBlanks(text, end);
    if (text[at] !== '.') return { parts, end: at };
    at++;
  }
}

/** The library takes some texts that it would not take in parts, such as two quotes too many at the end of a string. */
function unquoted(word: string): string {
  try {
    return Object.keys(parse(`${word} = 1`))[0] ?? '';
  } catch (cause) {
    throw new PyroError('host_config_invalid', `this is no name of TOML: ${word.slice(0, 40)}`, {
      hint: 'fix it by hand',
      cause,
    });
  }
}

function skipValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"' || first === "'") return skipString(text, from);
  if (first === '{') return scanInline(text, from, []).close + 1;
  if (first === '[') {
    let at = skipTrivia(text, from + 1);
    while (at < text.length && text[at] !== ']') {
      at = skipTrivia(text, skipValue(text, at));
      if (text[at] === ',') at = skipTrivia(text, at + 1);
    }
    return at + 1;
  }
  const rest = /[,\]}#\r\n]/g;
  rest.lastIndex = from;
  const end = rest.exec(text)?.index ?? text.length;
  return from + text.slice(from, end).trimEnd().length;
}

function skipString(text: string, from: number): number {
  const quote = text[from] ?? '';
  const isLong = text.startsWith(quote.repeat(3), from);
  const closing = isLong ? quote.repeat(3) : quote;
  let at = from + closing.length;
  while (at < text.length && !text.startsWith(closing, at)) at += quote === '"' && text[at] === '\\' ? 2 : 1;
  at += closing.length;
  // Up to two quotes may stand before the closing three.
  while (isLong && text[at] === quote) at++;
  return at;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

function skipTrivia(text: string, from: number): number {
  const trivia = /(?:[ \t\r\n]+|#[^\n]*)*/y;
  trivia.lastIndex = from;
  return from + (trivia.exec(text)?.[0].length ?? 0);
}
