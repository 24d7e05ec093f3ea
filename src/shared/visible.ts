// Text of a guest or a file name as it may be shown: control characters would be orders to the terminal, or a false row.

/** Control characters of both kinds, and those that turn the direction of text */
const controls = /[\p{Cc}\p{Bidi_Control}]/gu;
const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text in one line, with control characters as escapes: `\x1b`, `\n`. */
export function visible(text: string): string {
  return text.replaceAll(controls, (sign) => named[sign] ?? escapeOf(sign));
}

/** The same for text of several lines: its line ends and tabs stay. */
export function visibleLines(text: string): string {
  return text.replaceAll(controls, (sign) => (sign === '\n' || sign === '\t' ? sign : (named[sign] ?? escapeOf(sign))));
}

function escapeOf(sign: string): string {
  const code = sign.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
}
