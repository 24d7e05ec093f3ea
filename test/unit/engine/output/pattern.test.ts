// Tests of patterns to wait for: texts, expressions, and expressions that would take for ever.
import { describe, expect, it } from 'vitest';
import { parsePattern } from '../../../../src/engine/output/pattern.ts';

describe('a pattern', () => {
  it('without slashes is a text as it stands', () => {
    expect(parsePattern('a.c (').isIn('xxa.c (yy')).toBe(true);
    expect(parsePattern('a.c').isIn('abc')).toBe(false);
    expect(parsePattern('/dev/pts/').isIn('at /dev/pts/0')).toBe(true);
  });

  it('between slashes is a regular expression with flags', () => {
    expect(parsePattern('/^code \\d+$/m').isIn('x\ncode 12\ny')).toBe(true);
    expect(parsePattern('/READY/i').isIn('ready')).toBe(true);
    expect(parsePattern('/a.c/').isIn('a/c')).toBe(true);
  });

  it('that is none is refused with the reason', () => {
    for (const pattern of ['/(/', '', 'x'.repeat(501)]) expect(() => parsePattern(pattern)).toThrow(/wait_for/);
  });

  it('that would take for ever is stopped', () => {
    const began = performance.now();
    expect(() => parsePattern('/^(a+)+$/').isIn(`${'a'.repeat(60)}!`)).toThrow(/takes more than/);
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('is not blamed while others have the processor, and is in the end', () => {
    let looks = 0;
    const starved = (): number => {
      looks++;
      return 0;
    };
    expect(() => parsePattern('/^(a+)+$/', starved).isIn(`${'a'.repeat(60)}!`)).toThrow(/takes more than/);
    expect(looks).toBeGreaterThan(4);
  });
});
