// The policy's table: what each allow-list lets through, and that nothing but it does.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kindOf, parseAddress } from '../../../src/network/address.ts';
import {
  type Decision,
  decide,
  grantOff,
  intersectGrants,
  makeGrant,
  parseGrant,
  widenGrant,
} from '../../../src/network/policy.ts';
import { parseTarget } from '../../../src/network/target.ts';

function judge(
  allow: readonly string[] | undefined,
  wanted: string,
  answers: readonly string[] = [],
  own: string[] = [],
): Decision {
  return judgeGrant(makeGrant('egress', allow), wanted, answers, own);
}

function judgeGrant(
  grant: ReturnType<typeof makeGrant>,
  wanted: string,
  answers: readonly string[],
  own: string[] = [],
): Decision {
  const target = parseTarget(wanted);
  if (target.kind === 'invalid') return { verdict: 'deny', rule: 'target', reason: target.reason };
  const addresses = (target.kind === 'address' ? [target.address.text] : answers).map((text) => parseAddress(text));
  return decide(
    parseGrant(grant, own),
    target,
    addresses.filter((address) => address !== undefined),
  );
}

describe('the kind of an address', () => {
  it.each([
    ['1.1.1.1', 'public'],
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.255.255', 'private'],
    ['100.64.0.1', 'shared'],
    ['100.128.0.1', 'public'],
    ['127.255.255.254', 'loopback'],
    ['169.254.1.1', 'link_local'],
    ['169.254.169.254', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['192.0.2.1', 'reserved'],
    ['::1', 'loopback'],
    ['::', 'unspecified'],
    ['fe80::1', 'link_local'],
    ['fc00::1', 'private'],
    ['fdff::1', 'private'],
    ['fec0::1', 'private'],
    ['fd00:ec2::254', 'metadata'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'reserved'],
    ['2001:2::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['0:0:0:0:0:ffff:0a00:0001', 'private'],
    ['::127.0.0.1', 'tunnel'],
    ['::ffff:0:10.0.0.1', 'tunnel'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['64:ff9b::1.1.1.1', 'public'],
    ['64:ff9b:1::a00:1', 'tunnel'],
    ['2002:7f00:1::', 'tunnel'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'tunnel'],
  ])('%s is %s', (text, kind) => {
    const address = parseAddress(text);
    expect(address === undefined ? 'no address' : kindOf(address)).toBe(kind);
  });

  it('is the same however an IPv4 address is written inside an IPv6 one', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const plain = parseAddress(text);
        const mapped = parseAddress(`::ffff:${text}`);
        expect(mapped).toEqual(plain);
        const translated = parseAddress(`64:ff9b::${text}`);
        if (plain === undefined || translated === undefined) throw new Error('an address was not understood');
        expect(kindOf(translated)).toBe(kindOf(plain));
      }),
    );
  });
});

describe('a grant without an allow-list', () => {
  it.each([
    ['example.com:443', ['93.184.216.34'], 'allow'],
    ['example.com:443', ['93.184.216.34', '2606:4700::1111'], 'allow'],
    ['93.184.216.34:22', [], 'allow'],
    ['[2606:4700::1111]:443', [], 'allow'],
    ['example.com:443', ['10.0.0.1'], 'deny'],
    ['example.com:443', ['93.184.216.34', '10.0.0.1'], 'deny'],
    ['example.com:443', ['93.184.216.34', '::ffff:127.0.0.1'], 'deny'],
    ['example.com:443', [], 'deny'],
    ['127.0.0.1:80', [], 'deny'],
    ['[::1]:80', [], 'deny'],
    ['localhost:80', ['93.184.216.34'], 'deny'],
    ['a.localhost:80', ['93.184.216.34'], 'deny'],
    ['host.pyro.internal:80', ['127.0.0.1'], 'deny'],
    ['other.pyro.internal:80', ['93.184.216.34'], 'deny'],
  ] as const)('%s at %j: %s', (wanted, answers, verdict) => {
    expect(judge(undefined, wanted, answers).verdict).toBe(verdict);
  });

  it('keeps the public address of the host itself closed', () => {
    expect(judge(undefined, 'example.com:80', ['93.184.216.34'], ['93.184.216.34']).verdict).toBe('deny');
    expect(judge(['example.com'], 'example.com:80', ['93.184.216.34'], ['93.184.216.34']).verdict).toBe('deny');
    expect(judge(['93.184.216.34'], 'example.com:80', ['93.184.216.34'], ['93.184.216.34']).verdict).toBe('allow');
  });
});

describe('an allow-list', () => {
  it.each([
    [['example.com'], 'example.com:443', ['1.1.1.1'], 'allow'],
    [['Example.COM.'], 'eXample.com.:443', ['1.1.1.1'], 'allow'],
    [['example.com:443'], 'example.com:80', ['1.1.1.1'], 'deny'],
    [['example.com'], 'www.example.com:443', ['1.1.1.1'], 'deny'],
    [['*.example.com'], 'www.example.com:443', ['1.1.1.1'], 'allow'],
    [['*.example.com'], 'a.b.example.com:443', ['1.1.1.1'], 'allow'],
    [['*.example.com'], 'example.com:443', ['1.1.1.1'], 'deny'],
    [['*.example.com'], 'badexample.com:443', ['1.1.1.1'], 'deny'],
    [['*.example.com'], 'www.example.com.evil.org:443', ['1.1.1.1'], 'deny'],
    [['*.example.com'], 'www.example.com:443', ['10.0.0.1'], 'deny'],
    [['intranet.example'], 'intranet.example:443', ['10.0.0.1'], 'allow'],
    [['intranet.example'], 'intranet.example:443', ['127.0.0.1'], 'deny'],
    [['intranet.example'], 'intranet.example:443', ['169.254.169.254'], 'deny'],
    [['10.0.0.5'], '10.0.0.5:80', [], 'allow'],
    [['10.0.0.5'], '10.0.0.6:80', [], 'deny'],
    [['10.0.0.5:81'], '10.0.0.5:80', [], 'deny'],
    [['127.0.0.1:9000'], '127.0.0.1:9000', [], 'allow'],
    [['127.0.0.1'], '[::ffff:127.0.0.1]:80', [], 'allow'],
    [['::ffff:127.0.0.1'], '127.0.0.1:80', [], 'allow'],
    [['169.254.169.254'], '169.254.169.254:80', [], 'allow'],
    [['0.0.0.0'], '0.0.0.0:80', [], 'deny'],
    [['10.1.0.0/16'], '10.1.2.3:80', [], 'allow'],
    [['10.1.0.0/16'], 'db.example:80', ['10.1.2.3'], 'allow'],
    [['10.1.0.0/16:5432'], 'db.example:80', ['10.1.2.3'], 'deny'],
    [['0.0.0.0/0'], '1.1.1.1:80', [], 'allow'],
    [['0.0.0.0/0'], '10.1.2.3:80', [], 'deny'],
    [['0.0.0.0/0', '::/0'], '[::1]:80', [], 'deny'],
    [['127.0.0.0/8'], '127.0.0.1:80', [], 'deny'],
    [['169.254.0.0/16'], '169.254.169.254:80', [], 'deny'],
    [['1.1.1.0/24'], 'one.example:443', ['1.1.1.9', '1.1.2.9'], 'deny'],
    [['fd00::/8'], '[fd12::1]:80', [], 'allow'],
    [['[2606:4700::1111]:443'], '[2606:4700::1111]:443', [], 'allow'],
    [['2606:4700::1111'], '[2606:4700:0:0::1111]:80', [], 'allow'],
    [['host.pyro.internal:8080'], 'host.pyro.internal:8080', ['127.0.0.1'], 'allow'],
    [['host.pyro.internal:8080'], 'host.pyro.internal:8081', ['127.0.0.1'], 'deny'],
    [['*.pyro.internal'], 'host.pyro.internal:80', ['127.0.0.1'], 'deny'],
    [['*.localhost'], 'a.localhost:80', ['127.0.0.1'], 'deny'],
    [['bücher.example'], 'xn--bcher-kva.example:80', ['1.1.1.1'], 'allow'],
    [['paypal.com'], 'p\u0430ypal.com:80', ['1.1.1.1'], 'deny'],
    [['public', '10.0.0.5'], 'example.com:80', ['1.1.1.1'], 'allow'],
    [['public', '10.0.0.5'], '10.0.0.5:80', [], 'allow'],
    [['public', '10.0.0.5'], '10.0.0.6:80', [], 'deny'],
    [['public:443'], 'example.com:80', ['1.1.1.1'], 'deny'],
    [[], 'example.com:80', ['1.1.1.1'], 'deny'],
  ] as const)('%j, %s at %j: %s', (allow, wanted, answers, verdict) => {
    expect(judge(allow, wanted, answers).verdict).toBe(verdict);
  });

  it('names the rule that let a connection through', () => {
    expect(judge(['a.example', '*.example.com:443'], 'x.example.com:443', ['1.1.1.1'])).toMatchObject({
      rule: '*.example.com:443',
    });
  });

  it.each([
    '',
    '*',
    '*.',
    'a b',
    'x:0',
    'x:70000',
    '10.0.0.0/33',
    '10.0.0.0/x',
    '*.*.example',
    'http://x',
    'a@b',
    '127.1',
    '::ffff:10.0.0.0/96',
    'a..b',
  ])('refuses the entry %j', (entry) => {
    expect(() => makeGrant('egress', [entry])).toThrow(/not an allow-list entry/);
  });
});

describe('a ceiling', () => {
  const names = ['a.example', 'b.example', 'x.a.example', '10.0.0.5', '127.0.0.1', '1.1.1.1'];
  const entries = fc.constantFrom(
    'a.example',
    '*.a.example',
    'b.example:443',
    '10.0.0.5',
    '10.0.0.0/8',
    '127.0.0.1:80',
    '1.1.1.1',
    '0.0.0.0/0',
  );
  const grants = fc
    .tuple(
      fc.constantFrom('off', 'egress', 'egress+published-ports'),
      fc.option(fc.uniqueArray(entries), { nil: undefined }),
    )
    .map(([policy, allow]) => makeGrant(policy, allow));
  const wishes = fc.tuple(
    fc.constantFrom(...names),
    fc.constantFrom(80, 443),
    fc.subarray(['1.1.1.1', '10.0.0.5', '127.0.0.1'], { minLength: 1 }),
  );

  it('lets through exactly what both let through, however often it is applied', () => {
    fc.assert(
      fc.property(grants, grants, wishes, (ceiling, wish, [name, port, answers]) => {
        const both = intersectGrants(ceiling, wish);
        const verdict = (grant: typeof both) => judgeGrant(grant, `${name}:${port}`, answers).verdict;
        const expected = verdict(ceiling) === 'allow' && verdict(wish) === 'allow' ? 'allow' : 'deny';
        expect(verdict(both)).toBe(expected);
        expect(verdict(intersectGrants(ceiling, both))).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('can be widened by what a setting names, and stays public only beside that', () => {
    const wide = widenGrant(makeGrant('egress'), ['npm.example:443']);
    expect(judgeGrant(wide, 'npm.example:443', ['10.0.0.9']).verdict).toBe('allow');
    expect(judgeGrant(wide, 'npm.example:80', ['10.0.0.9']).verdict).toBe('deny');
    expect(judgeGrant(wide, 'other.example:80', ['1.1.1.1']).verdict).toBe('allow');
    expect(judgeGrant(wide, 'other.example:80', ['10.0.0.9']).verdict).toBe('deny');
  });

  it('takes the lower policy', () => {
    const full = makeGrant('egress+published-ports');
    expect(intersectGrants(makeGrant('egress'), full).policy).toBe('egress');
    expect(intersectGrants(grantOff, full)).toEqual(grantOff);
    expect(intersectGrants(full, grantOff)).toEqual(grantOff);
  });
});

describe('any target', () => {
  it('is refused or has one spelling that means the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6()),
        fc.integer({ min: -5, max: 70_000 }),
        (host, port) => {
          const target = parseTarget(`${host}:${port}`);
          if (target.kind === 'invalid') return;
          expect(target.port).toBe(port);
          expect(target.name).toMatch(/^[a-z0-9._:-]+$/i);
          expect(
            parseTarget(target.name.includes(':') ? `[${target.name}]:${port}` : `${target.name}:${port}`),
          ).toEqual(target);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
