// The page that follows a command and a path through the code: the files and their functions are there, and are few.
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const page = readFileSync('docs/design/one-command.md', 'utf8');

interface Step {
  readonly file: string;
  readonly name: string;
}

/** The rows of each table, in the order of the page. */
const tables: Step[][] = page.split(/\n\n/).flatMap((block) => {
  const rows = [...block.matchAll(/^\| `([^`]+)` \| `([^`]+)` \|/gm)];
  return rows.length === 0 ? [] : [rows.map(([, file = '', name = '']) => ({ file, name }))];
});
const [command = [], , path = []] = tables;

it.each(tables.flat().map(({ file, name }): [string, string] => [file, name]))('%s has %s', (file, name) => {
  expect(existsSync(file)).toBe(true);
  expect(readFileSync(file, 'utf8')).toMatch(
    new RegExp(`(function|func|const|async|static|func \\(.*\\)) ${name}\\b|^ *(async )?#?${name}[(:]`, 'm'),
  );
});

it.each([
  ['a command', command, 12, 'src/agent/guest-client.ts'],
  ['a seed path', path, 14, 'src/project/seed.ts'],
])('%s passes few files', (_what, steps, most, last) => {
  expect(new Set(steps.map(({ file }) => file)).size).toBe(steps.length);
  expect(steps.length).toBeLessThanOrEqual(most);
  expect([steps.at(0)?.file, steps.at(-1)?.file]).toEqual(['src/main.ts', last]);
});
