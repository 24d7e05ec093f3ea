// What the policy says of a connection, word by word, and which entries of an allow-list it reads how.
import { describe, expect, it } from 'vitest';
import { type NetworkGrant, networkGrantSchema } from '../../../src/contract/records.ts';
import { parseAddress } from '../../../src/network/address.ts';
import { parseAllowRule } from '../../../src/network/allow-rule.ts';
import {
  type Decision,
  decide,
  decideByName,
  grantOff,
  intersectGrants,
  isHopeless,
  makeGrant,
  parseGrant,
  widenGrant,
} from '../../../src/network/policy.ts';
import { parseTarget, type Target } from '../../../src/network/target.ts';

function targetOf(text: string): Target {
  const target = parseTarget(text);
  if (target.kind === 'invalid') throw new Error(target.reason);
  return target;
}

function judge(grant: NetworkGrant, wanted: string, answers: readonly string[] = [], own: string[] = []): Decision {
  const target = targetOf(wanted);
  const texts = target.kind === 'address' ? [target.address.text] : answers;
  const addresses = texts.map((text) => parseAddress(text)).filter((address) => address !== undefined);
  return decide(parseGrant(grant, own), target, addresses);
}

const open = makeGrant('egress');
const withoutLimits: NetworkGrant = { policy: 'egress', limits: [] };

describe('a connection is refused', () => {
  it.each<[string, NetworkGrant, string, string[], string[], string, string]>([
    ['without a network', grantOff, 'a.example:80', ['1.1.1.1'], [], 'policy off', 'the workspace has no network'],
    ['without a list', withoutLimits, 'a.example:80', ['1.1.1.1'], [], 'policy off', 'the workspace has no network'],
    [
      'off, whatever its lists say',
      { policy: 'off', limits: [null] },
      'a.example:80',
      ['1.1.1.1'],
      [],
      'policy off',
      'the workspace has no network',
    ],
    [
      'to a name that no entry is for',
      makeGrant('egress', ['b.example']),
      'a.example:80',
      ['1.1.1.1'],
      [],
      'allow-list',
      'a.example:80 is not on the allow-list',
    ],
    ['to a name without an address', open, 'a.example:80', [], [], 'resolver', 'a.example resolves to no address'],
    [
      'to a private address',
      open,
      '10.0.0.1:80',
      [],
      [],
      'public addresses',
      '10.0.0.1 is a private address; it must be allowed explicitly',
    ],
    [
      'to a name with a link-local address',
      open,
      'a.example:80',
      ['169.254.1.1'],
      [],
      'public addresses',
      'a.example resolves to 169.254.1.1, a link-local address',
    ],
    [
      'to the public address of the host',
      open,
      'a.example:80',
      ['1.1.1.1'],
      ['1.1.1.1'],
      'public addresses',
      'a.example resolves to 1.1.1.1, a private address',
    ],
    [
      'to an address of the host that is not public anyway',
      open,
      'a.example:80',
      ['127.0.0.1'],
      ['127.0.0.1'],
      'public addresses',
      'a.example resolves to 127.0.0.1, a loopback address',
    ],
    [
      'to a name whose address no entry is for',
      makeGrant('egress', ['b.example', '10.0.0.5']),
      'a.example:80',
      ['1.1.1.1'],
      [],
      'allow-list',
      'a.example:80 is not on the allow-list',
    ],
    [
      'to an IPv6 address that no entry is for',
      makeGrant('egress', ['b.example']),
      '[2606:4700::1111]:443',
      [],
      [],
      'allow-list',
      '[2606:4700::1111]:443 is not on the allow-list',
    ],
    [
      'to an address that the name on the list does not open',
      makeGrant('egress', ['a.example']),
      'a.example:80',
      ['127.0.0.1'],
      [],
      'a.example',
      'a.example resolves to 127.0.0.1, a loopback address',
    ],
    [
      'to a private address where public ones are on the list',
      makeGrant('egress', ['public']),
      'a.example:80',
      ['10.0.0.1'],
      [],
      'allow-list',
      'a.example:80 is not on the allow-list',
    ],
  ])('%s', (_name, grant, wanted, answers, own, rule, reason) => {
    expect(judge(grant, wanted, answers, own)).toEqual({ verdict: 'deny', rule, reason });
  });
});

describe('a connection is allowed', () => {
  it.each<[string, NetworkGrant, string, string[], string]>([
    ['as a public address', open, 'a.example:80', ['1.1.1.1'], 'public addresses'],
    ['by its entry', makeGrant('egress', ['b.example', 'a.example']), 'a.example:80', ['10.0.0.1'], 'a.example'],
    ['by the name of this machine', makeGrant('egress', ['localhost']), 'localhost:80', ['127.0.0.1'], 'localhost'],
  ])('%s', (_name, grant, wanted, answers, rule) => {
    const addresses = answers.map((text) => parseAddress(text));
    expect(judge(grant, wanted, answers)).toEqual({ verdict: 'allow', rule, addresses });
  });

  it('to the loopback of this machine, and not to what its name might point at besides', () => {
    const grant = makeGrant('egress', ['localhost']);
    expect(judge(grant, 'localhost:80', ['169.254.1.1'])).toMatchObject({ verdict: 'deny', rule: 'localhost' });
  });
});

describe('a name need not be looked up', () => {
  it.each<[string, NetworkGrant, string, boolean]>([
    ['without a network', { policy: 'off', limits: [null] }, 'a.example:80', true],
    ['without a list', withoutLimits, 'a.example:80', true],
    ['of an address', makeGrant('egress', ['a.example']), '1.1.1.1:80', false],
    ['where public addresses are allowed', open, 'a.example:80', false],
    ['that is on the list', makeGrant('egress', ['b.example', 'a.example']), 'a.example:80', false],
    ['under a wildcard', makeGrant('egress', ['*.example']), 'a.example:80', false],
    ['under another wildcard', makeGrant('egress', ['*.other.example']), 'a.example:80', true],
    ['where an address is on the list', makeGrant('egress', ['b.example', '10.0.0.1']), 'a.example:80', false],
    ['that one list of two lacks', { policy: 'egress', limits: [['a.example'], ['b.example']] }, 'a.example:80', true],
    ['of the host, where no list has it', open, 'host.pyro.internal:80', true],
    [
      'of the host, where the list has more',
      makeGrant('egress', ['host.pyro.internal', 'a.example']),
      'host.pyro.internal:80',
      false,
    ],
    [
      'of the host, which one list of two lacks',
      { policy: 'egress', limits: [['host.pyro.internal'], ['a.example']] },
      'host.pyro.internal:80',
      true,
    ],
  ])('%s', (_name, grant, wanted, expected) => {
    expect(isHopeless(parseGrant(grant), targetOf(wanted))).toBe(expected);
  });
});

describe('through a proxy of this machine', () => {
  const lists = (...limits: string[][]): NetworkGrant => ({ policy: 'egress', limits });

  it.each<[string, NetworkGrant, string, string]>([
    ['a name of the list', lists(['b.example', 'a.example:80']), 'a.example:80', 'a.example:80, by proxy'],
    ['an address of the list', lists(['a.example', '10.0.0.5']), '10.0.0.5:80', '10.0.0.5, by proxy'],
    ['a name of both lists', lists(['a.example'], ['a.example:80']), 'a.example:80', 'a.example:80, by proxy'],
  ])('goes %s', (_name, grant, wanted, rule) => {
    expect(decideByName(parseGrant(grant), targetOf(wanted))).toEqual({ verdict: 'allow', rule, addresses: [] });
  });

  it.each<[string, NetworkGrant, string]>([
    ['what only public addresses allow', open, 'a.example:80'],
    ['what a wildcard allows', lists(['*.example']), 'a.example:80'],
    ['what a range allows', lists(['10.0.0.0/8']), '10.0.0.5:80'],
    ['another port', lists(['a.example:81']), 'a.example:80'],
    ['another name', lists(['b.example']), 'a.example:80'],
    ['another address', lists(['10.0.0.6']), '10.0.0.5:80'],
    ['a name where an address is on the list', lists(['10.0.0.5']), 'a.example:80'],
    ['what one list of two lacks', lists(['a.example'], ['b.example']), 'a.example:80'],
  ])('does not go %s', (_name, grant, wanted) => {
    expect(decideByName(parseGrant(grant), targetOf(wanted))).toEqual({
      verdict: 'deny',
      rule: 'allow-list',
      reason: `${wanted} is not on the allow-list`,
    });
  });

  it.each<[string, NetworkGrant]>([
    ['without a network', { policy: 'off', limits: [['a.example']] }],
    ['without a list', withoutLimits],
  ])('goes nothing %s', (_name, grant) => {
    expect(decideByName(parseGrant(grant), targetOf('a.example:80'))).toEqual({
      verdict: 'deny',
      rule: 'policy off',
      reason: 'the workspace has no network',
    });
  });
});

describe('a grant', () => {
  it('keeps no list when it is off', () => {
    expect(makeGrant('off', ['a.example'])).toEqual(grantOff);
  });

  it('keeps each list once', () => {
    const grant = makeGrant('egress', ['a.example']);
    expect(intersectGrants(grant, makeGrant('egress', ['a.example'])).limits).toEqual([['a.example']]);
    expect(intersectGrants(grant, open).limits).toEqual([['a.example'], null]);
  });

  it('is widened by entries that parse alone, also from nothing', () => {
    expect(widenGrant(grantOff, ['a.example'])).toEqual({ policy: 'egress', limits: [['a.example']] });
    expect(() => widenGrant(open, ['a b'])).toThrow('is not an allow-list entry');
  });

  it('knows no address of the host unless told', () => {
    expect(parseGrant(open).hostAddresses).toEqual([]);
  });

  it.each<[string, unknown, boolean]>([
    ['as many entries as there may be', [Array.from({ length: 1000 }, () => 'a')], true],
    ['one more', [Array.from({ length: 1001 }, () => 'a')], false],
    ['as many lists as there may be', Array.from({ length: 8 }, () => null), true],
    ['one list more', Array.from({ length: 9 }, () => null), false],
    ['the longest entry', [['a'.repeat(300)]], true],
    ['a longer one', [['a'.repeat(301)]], false],
    ['an empty one', [['']], false],
  ])('is read from a record with %s: %#', (_name, limits, isRead) => {
    expect(networkGrantSchema.safeParse({ policy: 'egress', limits }).success).toBe(isRead);
  });
});

describe('an entry of an allow-list', () => {
  it.each<[string, object]>([
    [' a.example ', { kind: 'name', name: 'a.example', port: undefined, text: ' a.example ' }],
    ['a.example:1', { kind: 'name', name: 'a.example', port: 1 }],
    ['a.example:65535', { kind: 'name', name: 'a.example', port: 65_535 }],
    ['[fd00::]/16:5432', { kind: 'range', port: 5432, opens: 'private' }],
    ['10.1.2.3/32', { kind: 'range', port: undefined, opens: 'private' }],
    ['2606:4700::/64', { kind: 'range', port: undefined, opens: undefined }],
    ['fd00::/128', { kind: 'range', port: undefined, opens: 'private' }],
  ])('%j is read', (text, rule) => {
    expect(parseAllowRule(text)).toMatchObject(rule);
  });

  it.each([
    ['[::1', 'the name has characters that a name may not have'],
    ['x::1]', 'the name has characters that a name may not have'],
    ['[::1x', 'the name has characters that a name may not have'],
    ['a:b:80', 'a part of the name is not valid'],
    ['x:80y', 'a part of the name is not valid'],
    ['x:0', 'the port is out of range'],
    ['x/8', 'it is not a range'],
    ['10.0.0.0/8/8', 'it is not a range'],
    ['10.0.0.0/x8', 'it is not a range'],
    ['10.0.0.0/8x', 'it is not a range'],
    ['::ffff:10.0.0.0/8', 'it is not a range'],
    ['10.0.0.0/33', 'its prefix is too long'],
    ['fd00::/129', 'its prefix is too long'],
    ['a.example at nowhere', 'an address must follow at'],
    ['public 10.0.0.1', 'it must name a host'],
    ['10.0.0.1 at 10.0.0.2', 'it must name a host'],
  ])('%j is refused: %s', (text, why) => {
    expect(() => parseAllowRule(text)).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: `${JSON.stringify(text)} is not an allow-list entry: ${why}`,
        hint: 'expected a name, *.domain, public, an address, a range such as 10.1.0.0/16, or host.pyro.internal; each may end in :PORT',
      }),
    );
  });
});
