// Network policy, pure: from what a guest asks for and what its name stands for to a verdict, a rule and a reason.
import type { NetworkGrant } from '../contract/records.ts';
import { type NetworkPolicy, networkPolicies } from '../shared/policy-types.ts';
import { type Address, type AddressKind, kindOf } from './address.ts';
import {
  type AllowRule,
  hostName,
  isPinned,
  matchesAddress,
  matchesName,
  opensKind,
  parseAllowRule,
} from './allow-rule.ts';
import type { Target } from './target.ts';

export const grantOff: NetworkGrant = { policy: 'off', limits: [] };

/** A grant with its rules parsed. */
export interface PolicyRules {
  readonly policy: NetworkPolicy;
  readonly limits: readonly (readonly AllowRule[] | null)[];
  /** Addresses of the host's own interfaces: services there are not meant for guests, be they public or not */
  readonly hostAddresses: readonly string[];
}

export type Decision =
  | { readonly verdict: 'allow'; readonly rule: string; readonly addresses: readonly Address[] }
  | { readonly verdict: 'deny'; readonly rule: string; readonly reason: string };

/** Grant of one person or call. Throws `usage` for an entry that does not parse. */
export function makeGrant(policy: NetworkPolicy, allow?: readonly string[]): NetworkGrant {
  for (const entry of allow ?? []) parseAllowRule(entry);
  return { policy, limits: policy === 'off' ? [] : [allow === undefined ? null : [...allow]] };
}

/** What is left of a wish under a ceiling: both must allow each connection. */
export function intersectGrants(ceiling: NetworkGrant, wish: NetworkGrant): NetworkGrant {
  const policy = networkPolicies[Math.min(rank(ceiling.policy), rank(wish.policy))] ?? 'off';
  if (policy === 'off') return grantOff;
  const limits = [...ceiling.limits, ...wish.limits];
  const texts = limits.map((limit) => JSON.stringify(limit));
  return { policy, limits: limits.filter((_, index) => texts.indexOf(texts[index] ?? '') === index) };
}

/** The grant with more allowed in each of its lists; what was public only stays so beside that, and what was off opens for it. */
export function widenGrant(grant: NetworkGrant, allow: readonly string[]): NetworkGrant {
  for (const entry of allow) parseAllowRule(entry);
  if (grant.policy === 'off') return { policy: 'egress', limits: [[...allow]] };
  return { ...grant, limits: grant.limits.map((limit) => [...new Set([...(limit ?? ['public']), ...allow])]) };
}

function rank(policy: NetworkPolicy): number {
  return networkPolicies.indexOf(policy);
}

export function parseGrant(grant: NetworkGrant, hostAddresses: readonly string[] = []): PolicyRules {
  return {
    policy: grant.policy,
    limits: grant.limits.map((limit) => limit?.map((entry) => parseAllowRule(entry)) ?? null),
    hostAddresses,
  };
}

/** True when no address can change the answer to this name: it need not be looked up. */
export function isHopeless(rules: PolicyRules, target: Target): boolean {
  if (rules.policy === 'off' || rules.limits.length === 0) return true;
  if (target.kind === 'address') return false;
  const { name, port } = target;
  if (isOfHost(name))
    return rules.limits.some((limit) => !(limit?.some((rule) => matchesName(rule, name, port)) ?? false));
  return rules.limits.some(
    (limit) =>
      limit !== null &&
      !limit.some((rule) => (rule.kind !== 'name' && rule.kind !== 'wildcard') || matchesName(rule, name, port)),
  );
}

/**
 * Decides one connection. A name whose addresses are not all allowed is refused as a whole: a mixture of public and
 * other addresses is how a name is made to lead somewhere else the second time.
 */
export function decide(rules: PolicyRules, target: Target, addresses: readonly Address[]): Decision {
  if (rules.policy === 'off' || rules.limits.length === 0) return deny('policy off', 'the workspace has no network');
  if (isHopeless(rules, target)) return deny('allow-list', `${shown(target)} is not on the allow-list`);
  if (addresses.length === 0) return deny('resolver', `${target.name} resolves to no address`);
  let used = '';
  for (const limit of rules.limits) {
    for (const address of addresses) {
      const decision = decideAddress(rules, limit, target, address);
      if (!decision.isAllowed) return deny(decision.rule, decision.reason);
      used = decision.rule;
    }
  }
  return { verdict: 'allow', rule: used, addresses };
}

/** Decides a connection that goes through a proxy of this machine, by name: every list must have exactly that one. */
export function decideByName(rules: PolicyRules, target: Target): Decision {
  if (rules.policy === 'off' || rules.limits.length === 0) return deny('policy off', 'the workspace has no network');
  let used = '';
  for (const limit of rules.limits) {
    const rule = limit?.find(
      (each) =>
        (each.kind === 'name' && matchesName(each, target.name, target.port)) ||
        (each.kind === 'address' && target.kind === 'address' && matchesAddress(each, target.address, target.port)),
    );
    if (rule === undefined) return deny('allow-list', `${shown(target)} is not on the allow-list`);
    used = rule.text;
  }
  return { verdict: 'allow', rule: `${used}, by proxy`, addresses: [] };
}

interface AddressDecision {
  readonly isAllowed: boolean;
  readonly rule: string;
  readonly reason: string;
}

function decideAddress(
  rules: PolicyRules,
  limit: readonly AllowRule[] | null,
  target: Target,
  address: Address,
): AddressDecision {
  const own = rules.hostAddresses.includes(address.text);
  const kind: AddressKind = own && kindOf(address) === 'public' ? 'private' : kindOf(address);
  if (limit === null) {
    return kind === 'public' ? yes('public addresses') : no('public addresses', `${describe(target, address, kind)}`);
  }
  const matching = limit.filter(
    (rule) =>
      (target.kind === 'name' && matchesName(rule, target.name, target.port)) ||
      matchesAddress(rule, address, target.port),
  );
  if (matching.length === 0) return no('allow-list', `${shown(target)} is not on the allow-list`);
  // An address of this machine is opened by nothing but itself: a name might be pointed at it by anyone.
  const opening = matching.find((rule) =>
    own && !isOfHost(target.name) ? rule.kind === 'address' || isPinned(rule, address) : opensKind(rule, kind, address),
  );
  return opening === undefined
    ? no(matching[0]?.text ?? 'allow-list', describe(target, address, kind))
    : yes(opening.text);
}

function isOfHost(name: string): boolean {
  return name === hostName || name === 'localhost' || name.endsWith('.localhost') || name.endsWith('.pyro.internal');
}

function describe(target: Target, address: Address, kind: AddressKind): string {
  const what = kind.replace('_', '-');
  return target.kind === 'address'
    ? `${address.text} is a ${what} address; it must be allowed explicitly`
    : `${target.name} resolves to ${address.text}, a ${what} address`;
}

function shown(target: Target): string {
  return `${target.name.includes(':') ? `[${target.name}]` : target.name}:${target.port}`;
}

function deny(rule: string, reason: string): Decision {
  return { verdict: 'deny', rule, reason };
}

function yes(rule: string): AddressDecision {
  return { isAllowed: true, rule, reason: '' };
}

function no(rule: string, reason: string): AddressDecision {
  return { isAllowed: false, rule, reason };
}
