// A new last member of a JSON object, put behind the comment of the member before it rather than in front of it.
import type { FormattingOptions, Node } from 'jsonc-parser';

/** Undefined for an object that stands on one line or is empty: there is no layout to keep. */
export function insertMember(
  text: string,
  object: Node,
  name: string,
  value: unknown,
  layout: FormattingOptions,
): string | undefined {
  const last = object.children?.at(-1);
  if (last === undefined) return undefined;
  const lineStart = text.lastIndexOf('\n', last.offset) + 1;
  const [, indent] = /^([ \t]*),?[ \t]*$/.exec(text.slice(lineStart, last.offset)) ?? [];
  if (lineStart <= object.offset || indent === undefined) return undefined;
  const end = last.offset + last.length;
  const { offset, hasComma } = endOfLine(text, end);
  const unit = layout.insertSpaces === false ? '\t' : ' '.repeat(layout.tabSize ?? 2);
  const eol = layout.eol ?? '\n';
  const body = JSON.stringify(value, null, unit).replaceAll('\n', `${eol}${indent}`);
  const member = `${eol}${indent}${JSON.stringify(name)}: ${body}`;
  return `${text.slice(0, end)}${hasComma ? '' : ','}${text.slice(end, offset)}${member}${text.slice(offset)}`;
}

/** Behind commas and comments that follow on the same line; a comma may also start the next one. */
function endOfLine(text: string, from: number): { offset: number; hasComma: boolean } {
  const trivia = /[ \t]*(?:,|\/\/[^\r\n]*|\/\*(?:(?!\*\/)[^\r\n])*\*\/)/y;
  trivia.lastIndex = from;
  let offset = from;
  let hasComma = false;
  for (let match = trivia.exec(text); match !== null; match = trivia.exec(text)) {
    hasComma ||= match[0].trim() === ',';
    offset = trivia.lastIndex;
  }
  const nextComma = /^\s*,/.exec(text.slice(offset))?.[0];
  if (hasComma || nextComma === undefined) return { offset, hasComma };
  return { offset: offset + nextComma.length, hasComma: true };
}
