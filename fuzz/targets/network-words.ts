// What a guest asks to be connected to, and what a person allows: one spelling of each, and no way around a policy.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { kindOf, parseAddress } from '../../src/network/address.ts';
import { parseAllowRule } from '../../src/network/allow-rule.ts';
import { decide, makeGrant, parseGrant } from '../../src/network/policy.ts';
import { parseTarget } from '../../src/network/target.ts';
import { type Target, tolerate } from '../target.ts';

const publicOnly = parseGrant(makeGrant('egress'));

export const networkTarget: Target = {
  examples: [
    'example.org:443\n*.example.org:80',
    '[2001:db8::1]:22\n10.0.0.0/8',
    '127.0.0.1:80\npublic git.example at 10.0.0.7',
    'xn--bcher-kva.example:1\n[fd00::/8]:443',
    '[::ffff:7f00:1]:65535\nhost.pyro.internal:3000',
  ].map((text) => Buffer.from(text)),
  words: ['localhost', '127.1', '0x7f000001', '::ffff:', '64:ff9b::', '.', '%lo', ' at ', 'public ', '/32', ':0', '。'],
  run: (input) => {
    const [first = '', second = ''] = input.toString('utf8').split('\n');
    const target = parseTarget(first);
    if (target.kind !== 'invalid') {
      const shown = target.name.includes(':') ? `[${target.name}]:${target.port}` : `${target.name}:${target.port}`;
      same(parseTarget(shown), target);
      holds(/^[\x21-\x7e]+$/.test(target.name) && target.port >= 1 && target.port <= 65_535);
      // A name that resolvers would take for an address is none here.
      if (target.kind === 'name') holds(parseAddress(target.name) === undefined && !/(^|\.)[0-9]+$/.test(target.name));
      const addresses = target.kind === 'address' ? [target.address] : [];
      const decision = decide(publicOnly, target, addresses);
      if (decision.verdict === 'allow') holds(decision.addresses.every((address) => kindOf(address) === 'public'));
    }
    const rule = tolerate(() => parseAllowRule(second));
    if (rule !== undefined) same(parseAllowRule(rule.text).kind, rule.kind);
    const address = parseAddress(first);
    if (address !== undefined) same(parseAddress(address.text), address);
  },
};
