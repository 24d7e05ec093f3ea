// Grants widened by settings of the host: exactly what those name, by name and address.
import { describe, expect, it } from 'vitest';
import type { NetworkGrant } from '../../../src/contract/records.ts';
import { parseAddress } from '../../../src/network/address.ts';
import { decide, grantOff, makeGrant, parseGrant, widenGrant } from '../../../src/network/policy.ts';
import { parseTarget } from '../../../src/network/target.ts';

function verdictOf(grant: NetworkGrant, authority: string, answers: readonly string[]): string {
  const target = parseTarget(authority);
  if (target.kind === 'invalid') throw new Error(target.reason);
  return decide(
    parseGrant(grant),
    target,
    answers.flatMap((text) => parseAddress(text) ?? []),
  ).verdict;
}

describe('a widened grant', () => {
  it('opens what was off for what is widened, and for nothing else', () => {
    const wide = widenGrant(grantOff, ['npm.example:443']);
    expect(verdictOf(wide, 'npm.example:443', ['10.0.0.9'])).toBe('allow');
    expect(verdictOf(wide, 'other.example:443', ['1.1.1.1'])).toBe('deny');
    expect(verdictOf(wide, '1.1.1.1:443', ['1.1.1.1'])).toBe('deny');
  });

  it('opens an address for one name alone, and public addresses alone for a name', () => {
    const grant = makeGrant('egress', ['npm.example:443 at 127.0.0.1', 'public files.example:443']);
    expect(verdictOf(grant, 'npm.example:443', ['127.0.0.1'])).toBe('allow');
    expect(verdictOf(grant, 'npm.example:443', ['127.0.0.2'])).toBe('deny');
    expect(verdictOf(grant, 'npm.example:443', ['127.0.0.1', '127.0.0.2'])).toBe('deny');
    expect(verdictOf(grant, 'npm.example:80', ['127.0.0.1'])).toBe('deny');
    expect(verdictOf(grant, 'files.example:443', ['1.1.1.1'])).toBe('allow');
    expect(verdictOf(grant, 'files.example:443', ['127.0.0.1'])).toBe('deny');
    expect(verdictOf(grant, 'files.example:443', ['10.0.0.9'])).toBe('deny');
    expect(verdictOf(grant, '127.0.0.1:443', ['127.0.0.1'])).toBe('deny');
    for (const wrong of [
      'public 10.0.0.1',
      'public *.example',
      'x.example at nowhere',
      '10.0.0.1 at 10.0.0.1',
      ' at 10.0.0.1',
    ])
      expect(() => makeGrant('egress', [wrong]), wrong).toThrow('is not an allow-list entry');
  });
});
