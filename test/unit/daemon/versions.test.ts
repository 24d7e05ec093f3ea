// Which pyro gives way to which.
import { describe, expect, it } from 'vitest';
import { isNewer } from '../../../src/daemon/versions.ts';

describe('a version', () => {
  it.each([
    ['1.2.10', '1.2.9'],
    ['2.0.0', '1.9.9'],
    ['5.0.0', '5.0.0-dev'],
    ['5.0.0-beta.10', '5.0.0-beta.2'],
  ])('%s is newer than %s, and not the other way round', (newer, older) => {
    expect(isNewer(newer, older)).toBe(true);
    expect(isNewer(older, newer)).toBe(false);
  });

  it.each([
    ['5.0.0', '5.0.0'],
    ['source', '5.0.0'],
    ['', '5.0.0'],
  ])('%s and %s replace each other in neither direction', (first, second) => {
    expect(isNewer(first, second)).toBe(false);
    expect(isNewer(second, first)).toBe(false);
  });
});
