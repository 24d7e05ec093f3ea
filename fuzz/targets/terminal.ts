// Text of a guest as a terminal gets it, and a guest's own terminal as we look at it.
import { ok as holds, strictEqual } from 'node:assert';
import { EmulatedScreen, plainText } from '../../src/engine/output/terminal-emulator.ts';
import { decodeSlice, wholePage } from '../../src/engine/output/text.ts';
import { asPyroError, PyroError, reportError } from '../../src/shared/errors.ts';
import { formatFacts, formatTable } from '../../src/shared/table.ts';
import { visible, visibleLines } from '../../src/shared/visible.ts';
import type { Target } from '../target.ts';

const escapes = [
  '\u001b[2J',
  '\u001b]0;t\u0007',
  '\u001b]52;c;eA==\u0007',
  '\u009b31m',
  '\u001b[31m',
  '\u001b[0;1m',
  '\u202e',
  '\u2066',
  '\r',
  '\u0085',
  '\u2028',
  '\ud83d\ude00',
  '\u0301',
];

export const visibleText: Target = {
  examples: ['a\u001b[31mred\u001b[39m\tb\nc', 'n\u001b]0;PWNED\u0007\nrow\u009b2J\u202e', 'käse 名 👨‍👩‍👧 "q"'].map(
    (text) => Buffer.from(text),
  ),
  words: escapes,
  longest: 16 * 1024,
  run: (input) => {
    const text = input.toString('utf8');
    holds(!/[\p{Cc}\p{Bidi_Control}]/u.test(visible(text)));
    strictEqual(visible(visible(text)), visible(text));
    const lines = visibleLines(text);
    holds(!/[^\P{Cc}\n\t]|\p{Bidi_Control}/u.test(lines));
    strictEqual(lines.split('\n').length, text.split('\n').length);
    const cells = text.slice(0, 2000).split('\t');
    for (const width of [undefined, 40]) {
      const table = formatTable([cells, ['x', 'y']], width);
      strictEqual(table.split('\n').length, 2);
      holds(!/[^\P{Cc}\n]|\p{Bidi_Control}/u.test(table));
    }
    holds(!/[^\P{Cc}\n]|\p{Bidi_Control}/u.test(formatFacts([['name', text.slice(0, 500)]], 40)));
    const report = reportError(asPyroError(new PyroError('usage', text)));
    strictEqual(report.code, 'usage');
  },
};

export const screen: Target = {
  isSlow: true,
  examples: [
    '$ ls\r\n\u001b[1;34mdir\u001b[0m\r\n',
    '\u001b[?1049h\u001b[5;5Hx\u001b[?1049l',
    '\u001b[999999b\u001b[1000L\u001b#8',
  ].map((text) => Buffer.from(text)),
  words: [
    ...escapes,
    '\u001b[?25l',
    '\u001b[99999;99999H',
    '\u001b[9999@',
    '\u001bP',
    '\u001b\\',
    '\u001b[?1049h',
    '\u001b[r',
  ],
  run: async (input) => {
    const view = new EmulatedScreen({ cols: 40, rows: 10 });
    // Each piece costs a turn of the event loop.
    for (const part of [input.subarray(0, 7), input.subarray(7, 100), input.subarray(100)]) await view.feed(part);
    const { lines, cursorRow, cursorCol } = view.look();
    holds(lines.length <= 10 && cursorRow >= 0 && cursorRow < 10 && cursorCol >= 0 && cursorCol <= 40);
    view.resize({ cols: 5, rows: 3 });
    holds(view.look().lines.length <= 3 && view.redraw().length < 100_000);
    const text = await plainText(input, { cols: 40, rows: 10 }, 10_000);
    holds(text.length <= 10_000 && !text.includes('\u001b'));
    for (const limit of [1, 7, 100]) {
      let read = 0;
      for (let left = input; left.length > 0; left = input.subarray(read)) {
        const page = wholePage(left, limit, true);
        holds(page.length > 0 && page.length <= limit + 3);
        read += page.length;
        if (read > 2000) break;
      }
    }
    const slice = decodeSlice(input, false, false);
    holds(slice.from <= slice.to && slice.to <= input.length);
  },
};
