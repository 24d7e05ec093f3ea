import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { formatFacts, formatTable } from '../../../src/shared/table.ts';

const id = '6f1e538c0e71';
const rows = [
  ['ID', 'ENVIRONMENT', 'NAME'],
  [id, 'registry.example.org/team/image:1.2.3', 'a name that somebody has chosen'],
];

describe('a table', () => {
  it('is as wide as its cells without a terminal', () => {
    expect(formatTable(rows)).toContain('registry.example.org/team/image:1.2.3  a name that somebody has chosen');
  });

  it('takes from the widest columns until it fits, and leaves ids whole', () => {
    for (const width of [80, 60, 45]) {
      const lines = formatTable(rows, width).split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines[1]).toContain(`${id}  registry.e`);
      expect(lines[1]).toContain('…');
    }
  });

  it.each([
    ['wide', '工作区'],
    ['an emoji of several characters', '👩‍💻 a'],
    ['combining marks', 'cafe\u0301'],
  ])('pads %s by the columns that it takes', (_what, name) => {
    const [head = '', ...lines] = formatTable([
      ['NAME', 'STATE'],
      [name, 'running'],
      ['plain name', 'running'],
    ]).split('\n');
    const start = stringWidth(head.slice(0, head.indexOf('STATE')));
    for (const line of lines) expect(stringWidth(line.slice(0, line.indexOf('running')))).toBe(start);
  });

  it('divides no sign where it is cut', () => {
    const cells = [
      [id, '工'.repeat(40)],
      [id, '👩‍💻'.repeat(40)],
      [id, 'e\u0301'.repeat(80)],
    ];
    for (const width of [30, 31, 32]) {
      const lines = formatTable(cells, width).split('\n');
      for (const line of lines) {
        expect(stringWidth(line)).toBeLessThanOrEqual(width);
        expect(line).toMatch(/(?:工|👩‍💻|e\u0301)…$/u);
      }
    }
  });

  it('is not cut further than its narrowest columns', () => {
    expect(formatTable(rows, 10).split('\n')[1]).toContain(id);
  });
});

describe('facts', () => {
  it('go on below their beginning where the terminal ends', () => {
    const facts = [
      ['workspace', id],
      ['seed', 'git /home/eva/project, commit 9f90adf86732, branch main, with uncommitted changes'],
    ];
    expect(formatFacts(facts, 50).split('\n')).toEqual([
      'workspace  6f1e538c0e71',
      'seed       git /home/eva/project, commit',
      '           9f90adf86732, branch main, with',
      '           uncommitted changes',
    ]);
    expect(formatFacts(facts).split('\n')).toHaveLength(2);
  });

  it('break no word', () => {
    expect(formatFacts([['path', '/a/very/long/path']], 15)).toBe('path  /a/very/long/path');
  });
});
