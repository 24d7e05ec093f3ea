// Tests of where output may be cut: every cut of a stream, put together again, is the stream.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unfinishedRest } from '../../../../src/engine/output/cut.ts';

describe('what is unfinished at the end', () => {
  it.each([
    ['plain text', 'abc', 0],
    ['a whole colour', 'abc\u001b[31m', 0],
    ['a colour that is cut', 'abc\u001b[31', 4],
    ['an escape alone', 'abc\u001b', 1],
    ['a title that is cut', 'abc\u001b]0;title', 9],
    ['a whole title', 'abc\u001b]0;title\u0007', 0],
    ['a title with half of its end', 'abc\u001b]0;title\u001b', 10],
    ['a title with its other end', 'abc\u001b]0;title\u001b\\', 0],
    ['a character set', 'abc\u001b(B', 0],
    ['a character set that is cut', 'abc\u001b(', 2],
    ['a saved cursor', 'abc\u001b7', 0],
    ['a sequence too long to wait for', `\u001b]0;${'x'.repeat(600)}`, 0],
  ])('of %s', (_name, text, expected) => {
    expect(unfinishedRest(Buffer.from(text, 'latin1'), true)).toBe(expected);
  });

  it('counts bytes of a character too, and nothing but those without escapes', () => {
    expect(unfinishedRest(Buffer.from('aä').subarray(0, 2), true)).toBe(1);
    expect(unfinishedRest(Buffer.from('abc\u001b[31'), false)).toBe(0);
  });

  it('is never more than there is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, withEscapes) => {
        const rest = unfinishedRest(Buffer.from(bytes), withEscapes);
        expect(rest).toBeGreaterThanOrEqual(0);
        expect(rest).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
