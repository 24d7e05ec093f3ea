// A release takes the changelog's entries as they are, names them, and opens a place for the next ones.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openNext, release } from '../../scripts/changelog.ts';
import { root } from '../support/documents.ts';

const before = `# Changelog

## 2.1.0-dev

### New
- A thing.

### Broken on purpose

### Not there yet
- Another.

## 2.0.0 (2026-01-02)

### New
- An old thing.
`;

it('a release has the entries, a date, and no heading without entries', () => {
  const { changelog, notes } = release(before, '2.1.0', '2026-11-29');
  expect(notes).toBe('### New\n- A thing.\n\n### Not there yet\n- Another.');
  expect(changelog).toBe(`# Changelog

## 2.1.0 (2026-11-29)

${notes}

## 2.0.0 (2026-01-02)

### New
- An old thing.
`);
});

it('the next section stands on top, and becomes a release itself', () => {
  const next = openNext(release(before, '2.1.0', '2026-11-29').changelog, '2.2.0');
  expect(next).toContain('# Changelog\n\n## 2.2.0-dev\n\n### New\n\n## 2.1.0 (2026-11-29)\n');
  const filled = next.replace('### New\n', '### New\n- More.\n');
  expect(release(filled, '2.2.0', '2027-01-01').notes).toBe('### New\n- More.');
});

it.each([
  ['a version that is none', before, '2.1', 'no version of a release'],
  ['a version that came out', before, '2.0.0', 'has a section 2.0.0 already'],
  ['no section of what is to come', before.replace('2.1.0-dev', '2.1.0'), '2.1.1', 'no section of what is to come'],
  ['no entry', '# Changelog\n\n## 2.1.0-dev\n\n### New\n', '2.1.0', 'has no entry'],
])('%s is refused', (_what, changelog, version, message) => {
  expect(() => release(changelog, version, '2026-11-29')).toThrow(message);
});

it('a second open section is refused', () => {
  expect(() => openNext(before, '2.2.0')).toThrow('2.1.0-dev');
});

it('the changelog as it is can become a release, whole', () => {
  const raw = readFileSync(`${root}/CHANGELOG.md`, 'utf8');
  const isReleased = !/^## \S+-dev$/m.test(raw);
  const text = isReleased ? openNext(raw, '98.0.0').replace('### New\n', '### New\n- An entry.\n') : raw;
  const entries = (of: string): string[] => of.split('\n').filter((line) => line.startsWith('- '));
  const { changelog, notes } = release(text, '99.0.0', '2026-11-29');
  expect(entries(changelog)).toEqual(entries(text));
  expect(entries(text)).toEqual(expect.arrayContaining(entries(notes)));
});
