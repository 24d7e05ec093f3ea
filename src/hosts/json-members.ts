// Members of a JSON object, put in, taken out and written again: no byte beside them moves, comments stay where they are.
import { createScanner, type Node } from 'jsonc-parser';

// jsonc-parser's kinds of tokens are a const enum, which a build by single files cannot read.
const commaToken = 5;
const lineCommentToken = 12;
const blockCommentToken = 13;
const blankToken = 15;
export const endToken = 17;

interface Rest {
  /** Just behind the comma; undefined if there is none */
  readonly comma: number | undefined;
  /** Behind the comments that follow on the same line */
  readonly lineEnd: number;
}

/** Puts a member behind the last one, and behind the comment that follows that on its line. */
export function insertMember(text: string, object: Node, name: string, value: unknown): string {
  const last = object.children?.at(-1);
  const close = object.offset + object.length - 1;
  const isSpread = text.slice(object.offset, close).includes('\n');
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const outer = indentAt(text, object.offset);
  const key = JSON.stringify(name);
  if (last === undefined) {
    const isFlat = !isSpread && !text.trim().includes('\n') && text.trim() !== '{}';
    const at = object.offset + 1 + text.slice(object.offset + 1, close).trimEnd().length;
    if (isFlat)
      return splice(
        text,
        at,
        at,
        inline({ [name]: value }, text)
          .slice(1, -1)
          .trim(),
      );
    const indent = outer + unitOf(text);
    const member = `${eol}${indent}${key}: ${spread(value, indent, text)}`;
    return splice(text, at, at, isSpread ? member : `${member}${eol}${outer}`);
  }
  const end = last.offset + last.length;
  const { comma, lineEnd } = restOf(text, end, close);
  const isOwnLine = text.slice(object.offset, last.offset).includes('\n');
  if (!isSpread) {
    const body = inline({ [name]: value }, text)
      .slice(1, -1)
      .trim();
    const blank = isCompact(text) ? '' : ' ';
    return splice(text, comma ?? end, comma ?? end, comma === undefined ? `,${blank}${body}` : `${blank}${body},`);
  }
  const indent = isOwnLine ? indentAt(text, last.offset) : outer + unitOf(text);
  const member = `${eol}${indent}${key}: ${spread(value, indent, text)}`;
  const tail = text.slice(lineEnd, close);
  // Where the bracket follows on the line of the last member, it goes on a line of its own.
  const behind = tail.includes('\n') ? '' : `${eol}${outer}`;
  const whole = splice(text, lineEnd, lineEnd, `${member}${comma === undefined ? '' : ','}${behind}`);
  return comma === undefined ? splice(whole, end, end, ',') : whole;
}

/** Takes a member out, with its comma and with its line where nothing else stands on it. */
export function removeMember(text: string, object: Node, member: Node): string {
  const members = object.children ?? [];
  const at = members.indexOf(member);
  const close = object.offset + object.length - 1;
  const end = member.offset + member.length;
  const { comma } = restOf(text, end, members[at + 1]?.offset ?? close);
  let next = text;
  let start = member.offset;
  if (comma !== undefined) {
    const isNear = text.slice(end, comma - 1).trim() === '';
    next = isNear ? splice(next, start, comma, '') : splice(splice(next, comma - 1, comma, ''), start, end, '');
  } else {
    const before = members[at - 1];
    const beforeComma = before === undefined ? undefined : restOf(text, before.offset + before.length, start).comma;
    if (beforeComma !== undefined && text.slice(beforeComma, start).trim() === '')
      return splice(text, beforeComma - 1, end, '');
    next = splice(next, start, end, '');
    if (beforeComma !== undefined) {
      next = splice(next, beforeComma - 1, beforeComma, '');
      start--;
    }
  }
  return dropBlank(next, start, members.length === 1 ? object.offset : undefined);
}

/** Writes a value again where the old one stands. */
export function replaceValue(text: string, node: Node, value: unknown): string {
  const end = node.offset + node.length;
  const isSpread = text.slice(node.offset, end).includes('\n');
  const body = isSpread ? spread(value, indentAt(text, node.offset), text) : inline(value, text);
  return splice(text, node.offset, end, body);
}

/** What is left of the place of a member: its line goes when it is blank, the blanks before what follows otherwise. */
function dropBlank(text: string, at: number, only: number | undefined): string {
  const before = /[ \t\r\n]*$/.exec(text.slice(0, at))?.[0] ?? '';
  const after = /^[ \t]*/.exec(text.slice(at))?.[0] ?? '';
  const isLineEnd = /^\r?\n/.test(text.slice(at + after.length));
  if (only !== undefined) {
    const rest = /^\s*/.exec(text.slice(at))?.[0] ?? '';
    // An object that has nothing left, no comment either, is written as one.
    if (at - before.length === only + 1 && text[at + rest.length] === '}')
      return splice(text, at - before.length, at + rest.length, '');
  }
  if (isLineEnd && (before.includes('\n') || before.length > 0)) {
    const from = at - (before.includes('\n') ? before.length - Math.max(0, lastBreak(before)) : before.length);
    return splice(text, from, at + after.length, '');
  }
  if (before.includes('\n')) return splice(text, at, at + after.length, '');
  // On one line the blanks before it went with the member before, those behind it go with it.
  return text[at + after.length] === '}'
    ? text.slice(0, at - before.length) + (before === '' ? '' : after || before) + text.slice(at + after.length)
    : splice(text, at, at + after.length, '');
}

/** Where the last line break of a run of blanks begins. */
function lastBreak(blank: string): number {
  const at = blank.lastIndexOf('\n');
  return at > 0 && blank[at - 1] === '\r' ? at - 1 : at;
}

function restOf(text: string, from: number, to: number): Rest {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  let comma: number | undefined;
  let lineEnd = from;
  let isSameLine = true;
  for (let token = scanner.scan(); token !== endToken && scanner.getTokenOffset() < to; token = scanner.scan()) {
    const end = scanner.getTokenOffset() + scanner.getTokenLength();
    if (token === commaToken) {
      if (comma !== undefined) break;
      comma = end;
      lineEnd = end;
      isSameLine = true;
    } else if (token === blockCommentToken && text.slice(scanner.getTokenOffset(), end).includes('\n')) {
      isSameLine = false;
    } else if (token === lineCommentToken || token === blockCommentToken) {
      if (isSameLine) lineEnd = end;
    } else if (token !== blankToken) isSameLine = false;
  }
  return { comma, lineEnd };
}

function splice(text: string, from: number, to: number, insert: string): string {
  return text.slice(0, from) + insert + text.slice(to);
}

function indentAt(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', offset - 1) + 1))?.[0] ?? '';
}

function unitOf(text: string): string {
  return /\n([ \t]+)\S/.exec(text)?.[1]?.replace(/^\t+$/, '\t') ?? '  ';
}

function spread(value: unknown, indent: string, text: string): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return JSON.stringify(value, null, unitOf(text)).replaceAll('\n', `${eol}${indent}`);
}

/** A text on one line that has no blanks between its words gets none. */
function isCompact(text: string): boolean {
  return !text.trim().includes('\n') && !/[[{:,]\s/.test(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'));
}

function inline(value: unknown, text: string): string {
  if (isCompact(text)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => inline(each, text)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${inline(each, text)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}
