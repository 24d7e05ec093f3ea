// Tests of patterns to wait for: texts, expressions, and expressions that would take for ever.
import { describe, expect, it } from 'vitest';
import { parsePattern } from '../../../../src/engine/output/pattern.ts';

describe('a pattern', () => {
  it('without slashes is a text as it stands', async () => {
    expect(await parsePattern('a.c (').isIn('xxa.c (yy')).toBe(true);
    expect(await parsePattern('a.c').isIn('abc')).toBe(false);
    expect(await parsePattern('/dev/pts/').isIn('at /dev/pts/0')).toBe(true);
  });

  it('between slashes is a regular expression with flags', async () => {
    expect(await parsePattern('/^code \\d+$/m').isIn('x\ncode 12\ny')).toBe(true);
    expect(await parsePattern('/READY/i').isIn('ready')).toBe(true);
    expect(await parsePattern('/a.c/').isIn('a/c')).toBe(true);
  });

  it('that is none is refused with the reason', () => {
    for (const pattern of ['/(/', '', 'x'.repeat(501)]) expect(() => parsePattern(pattern)).toThrow(/wait_for/);
  });

  it('that would take for ever is stopped', async () => {
    const began = performance.now();
    await expect(parsePattern('/^(a+)+$/').isIn(`${'a'.repeat(60)}!`)).rejects.toThrow(/takes more than/);
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('is not blamed while others have the processor, and is in the end', async () => {
    let looks = 0;
    const starved = (): number => {
      looks++;
      return 0;
    };
    await expect(parsePattern('/^(a+)+$/', starved).isIn(`${'a'.repeat(60)}!`)).rejects.toThrow(/takes more than/);
    expect(looks).toBeGreaterThan(4);
  });

  it('lets everybody else have their turns between the searches of many', async () => {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const beganAt = performance.now();
    await Promise.allSettled(Array.from({ length: 8 }, () => parsePattern('/^(a+)+$/').isIn(`${'a'.repeat(60)}!`)));
    clearInterval(timer);
    // All at once they would be as long as together.
    expect(longest).toBeLessThan((performance.now() - beganAt) / 2);
  });
});
