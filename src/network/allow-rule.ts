// One entry of an allow-list: a name, a wildcard, an address, a range or the host itself, each with a port or without.
import { BlockList } from 'node:net';
import { PyroError } from '../shared/errors.ts';
import {
  type Address,
  type AddressKind,
  kindOf,
  kindOfSubnet,
  kindsThatNamesOpen,
  openableKinds,
  parseAddress,
} from './address.ts';
import { parseHost } from './target.ts';

/** Name by which a guest reaches a service on the loopback of its host */
export const hostName = 'host.pyro.internal';

export type AllowRule = { readonly text: string; readonly port: number | undefined } & (
  | { readonly kind: 'public' }
  /** `isPublic`: only as long as it leads to public addresses. `pinned`: even while it leads to this one, whatever its kind */
  | {
      readonly kind: 'name';
      readonly name: string;
      readonly isPublic: boolean;
      readonly pinned: Address | undefined;
    }
  | { readonly kind: 'wildcard'; readonly suffix: string }
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'range'; readonly blocks: BlockList; readonly opens: AddressKind | undefined }
);

/** What stands before a name that opens public addresses only */
const publicPrefix = 'public ';
/** What stands between a name and an address that it opens, of any kind, for this name alone */
const pinInfix = ' at ';

/** Reads an entry as a person writes it. Throws `usage`. */
export function parseAllowRule(text: string): AllowRule {
  const isPublic = text.startsWith(publicPrefix);
  const [given = '', pin] = text.slice(isPublic ? publicPrefix.length : 0).split(pinInfix);
  const { host, port } = splitPort(given.trim());
  const pinned = pin === undefined ? undefined : parseAddress(pin);
  if (pin !== undefined && pinned === undefined) throw wrong(text, 'an address must follow at');
  if ((isPublic || pinned !== undefined) && parseHost(host).kind !== 'name') throw wrong(text, 'it must name a host');
  if (host === 'public') return { text, port, kind: 'public' };
  if (host.includes('/')) return { text, port, ...parseRange(text, host) };
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const address = parseAddress(bare);
  if (address !== undefined) return { text, port, kind: 'address', address };
  const isWildcard = host.startsWith('*.');
  const parsed = parseHost(isWildcard ? host.slice(2) : host);
  if (parsed.kind === 'invalid') throw wrong(text, parsed.reason);
  return isWildcard
    ? { text, port, kind: 'wildcard', suffix: `.${parsed.name}` }
    : { text, port, kind: 'name', name: parsed.name, isPublic, pinned };
}

function splitPort(text: string): { host: string; port: number | undefined } {
  // An IPv6 address has colons of its own: with a port it stands in brackets.
  const match = parseAddress(text) === undefined ? /^(\[[^\]]*\](?:\/[0-9]+)?|[^:]*):([0-9]{1,5})$/.exec(text) : null;
  if (match === null) return { host: text, port: undefined };
  const port = Number(match[2]);
  if (port < 1 || port > 65_535) throw wrong(text, 'the port is out of range');
  return { host: match[1] ?? '', port };
}

function parseRange(text: string, host: string): { kind: 'range'; blocks: BlockList; opens: AddressKind | undefined } {
  const [base = '', length = '', ...more] = host.replaceAll(/[[\]]/g, '').split('/');
  const address = parseAddress(base);
  const prefix = Number(length);
  const isMapped = address?.family === 4 && base.includes(':');
  if (address === undefined || isMapped || more.length > 0 || !/^[0-9]{1,3}$/.test(length))
    throw wrong(text, 'it is not a range');
  if (prefix > (address.family === 4 ? 32 : 128)) throw wrong(text, 'its prefix is too long');
  const blocks = new BlockList();
  blocks.addSubnet(address.text, prefix, address.family === 4 ? 'ipv4' : 'ipv6');
  return { kind: 'range', blocks, opens: kindOfSubnet(address, prefix) };
}

function wrong(text: string, why: string): PyroError {
  return new PyroError('usage', `${JSON.stringify(text)} is not an allow-list entry: ${why}`, {
    hint: `expected a name, *.domain, public, an address, a range such as 10.1.0.0/16, or ${hostName}; each may end in :PORT`,
  });
}

/** True when the rule speaks of this name and port. */
export function matchesName(rule: AllowRule, name: string, port: number): boolean {
  if (rule.port !== undefined && rule.port !== port) return false;
  if (rule.kind === 'name') return rule.name === name;
  return rule.kind === 'wildcard' && name.endsWith(rule.suffix) && name.length > rule.suffix.length;
}

/** True when the rule speaks of this address and port. */
export function matchesAddress(rule: AllowRule, address: Address, port: number): boolean {
  if (rule.port !== undefined && rule.port !== port) return false;
  if (rule.kind === 'public') return kindOf(address) === 'public';
  if (rule.kind === 'address') return rule.address.text === address.text;
  return rule.kind === 'range' && rule.blocks.check(address.text, address.family === 4 ? 'ipv4' : 'ipv6');
}

/** True when the rule is of a name and names this address with it. */
export function isPinned(rule: AllowRule, address: Address): boolean {
  return rule.kind === 'name' && rule.pinned?.text === address.text;
}

/** True when the rule, which matches, also lets through an address of a kind that is refused by default. */
export function opensKind(rule: AllowRule, kind: AddressKind, address: Address): boolean {
  if (kind === 'public' || isPinned(rule, address)) return true;
  if (rule.kind === 'address') return openableKinds.includes(kind);
  if (rule.kind === 'range') return rule.opens === kind && kindsThatNamesOpen.includes(kind);
  if (rule.kind !== 'name' || rule.isPublic) return false;
  const isHost = rule.name === hostName || rule.name === 'localhost';
  return kindsThatNamesOpen.includes(kind) || (isHost && kind === 'loopback');
}
