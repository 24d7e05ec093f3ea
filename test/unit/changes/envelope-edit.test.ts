// Tests of hunks that name their place by lines: where they go, and when they go nowhere.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editText } from '../../../src/changes/envelope-edit.ts';
import { parseEnvelope } from '../../../src/changes/envelope-parse.ts';
import { isPyroError } from '../../../src/shared/errors.ts';

const wrap = (...lines: readonly string[]): string => ['*** Begin Patch', ...lines, '*** End Patch', ''].join('\n');

/** What becomes of a file, by hunks. */
function edited(content: string, ...lines: readonly string[]): string {
  const [section] = parseEnvelope(Buffer.from(wrap('*** Update File: a.py', ...lines)).toString('latin1'));
  if (section?.kind !== 'update') throw new Error('no update');
  const result = editText(Buffer.from(content).toString('latin1'), section.hunks);
  return typeof result === 'string' ? Buffer.from(result, 'latin1').toString() : `hunk ${result.hunk}: ${result.why}`;
}

describe('a hunk', () => {
  const text = 'class A:\n    def f():\n        pass\nclass B:\n    def f():\n        pass\n';
  it.each<[string, string, string[], string]>([
    [
      'by an anchor',
      text,
      ['@@ class B:', '     def f():', '-        pass', '+        go()'],
      text.replace(/pass\n$/, 'go()\n'),
    ],
    [
      'by two',
      text,
      ['@@ class B:', '@@     def f():', '-        pass', '+        go()'],
      text.replace(/pass\n$/, 'go()\n'),
    ],
    [
      'by a part of a line',
      text,
      ['@@ class B', '     def f():', '-        pass', '+        go()'],
      text.replace(/pass\n$/, 'go()\n'),
    ],
    ['without @@', 'a\nb\n', [' a', '-b', '+c'], 'a\nc\n'],
    ['with numbers that are wrong', 'a\nb\n', ['@@ -70,3 +71,9 @@ def x', ' a', '-b', '+c'], 'a\nc\n'],
    ['at the end', 'x\na\nx\na\n', ['@@', ' x', '-a', '+b', '*** End of File'], 'x\na\nx\nb\n'],
    ['of new lines alone', 'a\n', ['@@', '+b'], 'a\nb\n'],
    ['of new lines behind an anchor', 'a\nb\n', ['@@ a', '+n'], 'a\nn\nb\n'],
    ['into an empty file', '', ['@@', '+b'], 'b\n'],
    ['that removes all', 'a\nb\n', ['@@', '-a', '-b'], ''],
    ['with an empty line too much', 'a\nb\n', ['@@', ' a', '-b', '+c', ''], 'a\nc\n'],
    ['with an empty line that is one', 'a\n\nb\n', ['@@', ' a', '', '-b', '+c'], 'a\n\nc\n'],
    ['of a file without a last line end', 'a\nb', ['@@', '-a', '+c'], 'c\nb'],
    ['of the last line without an end', 'a\nb', ['@@', ' a', '-b', '+c'], 'a\nc\n'],
    ['behind the last line without an end', 'a\nb', ['@@', ' b', '+c'], 'a\nb\nc\n'],
    ['in CRLF', 'a\r\nb\r\nc\r\n', ['@@', ' a', '-b', '+x', '+y', ' c'], 'a\r\nx\r\ny\r\nc\r\n'],
    ['at the end of CRLF', 'a\r\nb', ['@@', ' b', '+c'], 'a\r\nb\r\nc\r\n'],
    ['that lost white space at the end', 'a  \n\tb\t\n', ['@@', ' a', '-\tb', '+c'], 'a  \nc\n'],
    ['that lost white space at the front', '    a\n    b\n', ['@@', ' a', '-b', '+    c'], '    a\n    c\n'],
    ['that lost typography', 'say “yes” — now\nx\n', ['@@', ' say "yes" - now', '-x', '+y'], 'say “yes” — now\ny\n'],
    ['several, from the top down', 'a\nb\na\nb\n', ['@@', '-a', '+1', '@@', '-a', '+2'], '1\nb\n2\nb\n'],
    ['in bytes that are no text', 'a\0\u00ff\nb\n', ['@@', '-b', '+c'], 'a\0\u00ff\nc\n'],
  ])('%s goes where it belongs', (_, before, hunk, after) => {
    expect(edited(before, ...hunk)).toBe(after);
  });

  it.each<[string, string, string[], RegExp]>([
    ['whose lines are not there', 'a\n', ['@@', '-x', '+y'], /^hunk 1: its lines are not there, beginning with "x"/],
    ['whose anchor is not there', 'a\n', ['@@ class X', '-a', '+y'], /^hunk 1: there is no line "class X"/],
    ['whose anchor could be two lines', 'fa\nfb\na\n', ['@@ f', '-a', '+y'], /^hunk 1: there is no line "f"/],
    ['that stands above', 'a\nb\n', ['@@', '-b', '+x', '@@', '-a', '+y'], /^hunk 2: its lines come before/],
    [
      'that would begin in the one before',
      'a\nb\n',
      ['@@', '-a', '-b', '+x', '@@', '-b', '+y'],
      /^hunk 2: its lines come before/,
    ],
  ])('%s is refused', (_, before, hunk, why) => {
    expect(edited(before, ...hunk)).toMatch(why);
  });

  it('is not looked for without end', () => {
    const lines = 'a\n'.repeat(150_000);
    const hunk = Array.from({ length: 2000 }, () => '-a');
    expect(edited(lines, '@@', ...hunk, '-b')).toMatch(/too long to search/);
    expect(edited('\n'.repeat(200_001), '@@', '-a')).toMatch(/more than 200000 lines/);
  });
});

describe('any change of lines', () => {
  const line = fc.constantFrom('a', 'b', '', '  a', 'x = 1', '@@', '*** End Patch', '-', '+', 'é', '\t');

  it('written as hunks makes the other text, or does not fit where its lines are not the only ones', () => {
    const block = fc.record({
      kept: fc.array(line, { maxLength: 3 }),
      gone: fc.array(line, { maxLength: 2 }),
      come: fc.array(line, { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 4 }), (blocks) => {
        // Numbered lines make every place the only one.
        const numbered = blocks.map(({ kept, gone, come }, at) => ({
          kept: [`${at}`, ...kept].map((text, index) => `${text} #${at}.${index}`),
          gone: gone.map((text, index) => `${text} -${at}.${index}`),
          come,
        }));
        const before = numbered.flatMap(({ kept, gone }) => [...kept, ...gone]);
        const after = numbered.flatMap(({ kept, come }) => [...kept, ...come]);
        const hunks = numbered.flatMap(({ kept, gone, come }) => [
          '@@',
          ...kept.map((text) => ` ${text}`),
          ...gone.map((text) => `-${text}`),
          ...come.map((text) => `+${text}`),
        ]);
        const text = (lines: readonly string[]): string => lines.map((each) => `${each}\n`).join('');
        expect(edited(text(before), ...hunks)).toBe(text(after));
      }),
    );
  });

  it('in any text is read, or refused as a patch', () => {
    const word = fc.oneof(
      line,
      fc.constantFrom(
        '*** Add File: f',
        '*** Update File: f',
        '*** Move to: g',
        '*** Begin Patch',
        '@@ a',
        '+a',
        ' b',
        '-a',
        '*** End of File',
        '*** Delete File: ../x',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.string(), (lines, content) => {
        try {
          for (const section of parseEnvelope(wrap(...lines))) {
            expect(section.path.toString()).not.toMatch(/^\/|(?:^|\/)\.\.?(?:\/|$)/);
            if (section.kind === 'update') editText(content, section.hunks);
          }
        } catch (error) {
          if (!isPyroError(error, 'patch_invalid')) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
