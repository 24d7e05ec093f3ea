// SECURITY.md says for each way out of a secret what holds and which test shows it: those tests are there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const text = readFileSync(join(root, 'SECURITY.md'), 'utf8');
const [, table = ''] = /\| way out \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)/.exec(text) ?? [];
const rows = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('the table of ways out of a secret', () => {
  it('names those that there are', () => {
    const ways = rows.map(([, way]) => way).join('; ');
    for (const word of [
      'output',
      'records',
      'errors',
      'diff',
      'patch',
      'export',
      'disk read',
      'disk list',
      'snapshots',
      'templates',
      'suspended',
      'core dumps',
      'swap',
      'arguments',
    ])
      expect(ways).toContain(word);
  });

  it.each(rows.map(([, way = '', holds = '', shown = '']) => ({ way, holds, shown })))(
    'has a test for $way',
    ({ holds, shown }) => {
      const tests = [...shown.matchAll(/`(test\/[^`]+)`: (.+?)(?=<br>|$)/g)];
      if (tests.length === 0) expect(holds).toMatch(/^not (there|held): /);
      for (const [, path = '', name = ''] of tests) {
        const source = readFileSync(join(root, path), 'utf8');
        const named = ["'", '`', '"'].some(
          (quote) => source.includes(`(${quote}${name}${quote}`) || source.includes(`${quote}${name}${quote},`),
        );
        expect(named, `${path} has no test "${name}"`).toBe(true);
      }
    },
  );
});
