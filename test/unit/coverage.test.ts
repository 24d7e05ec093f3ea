// Figures of coverage are what the reports say, and their floor only rises.
import { expect, it } from 'vitest';
import { belowFloor, figuresOf, raised } from '../../scripts/coverage-figures.ts';

const summary = {
  total: { lines: { total: 200, covered: 100 } },
  '/any/src/engine/a.ts': { lines: { total: 60, covered: 20 } },
  '/any/src/engine/calls/b.ts': { lines: { total: 40, covered: 10 } },
  '/any/src/cli/c.ts': { lines: { total: 100, covered: 70 } },
};
const profile =
  'mode: set\npyro/guest/a.go:1.2,3.4 5 1\npyro/guest/a.go:4.1,5.2 2 0\npyro/guest/b.go:1.1,2.2 1 1\npyro/guest/cmd/confine/c.go:1.1,2.2 9 0\n';

it('figures are of all lines, of those of the engine, and of the statements of the agent', () => {
  expect(figuresOf(summary, profile)).toEqual({ host: 50, engine: 30, guest: 75 });
});

it('reports that hold nothing are no figure', () => {
  expect(() => figuresOf(summary, 'mode: set\n')).toThrow('nothing was measured');
  expect(() => figuresOf({ total: summary.total }, profile)).toThrow('nothing was measured');
  expect(() => figuresOf({}, profile)).toThrow('no total');
});

it('each figure is held against its floor', () => {
  const floor = { host: 50, engine: 30.1, guest: 75.1 };
  expect(belowFloor({ host: 50, engine: 30, guest: 75 }, floor)).toEqual([
    'engine is at 30 %, and its floor at 30.1 %',
    'guest is at 75 %, and its floor at 75.1 %',
  ]);
});

it('a floor rises to a little below what was measured, and never falls', () => {
  const floor = { host: 48, engine: 30, guest: 10 };
  expect(raised({ host: 50.3, engine: 12, guest: 10.2 }, floor)).toEqual({ host: 49.8, engine: 30, guest: 10 });
});
