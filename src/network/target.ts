// What a guest asks for, `host:port`, read strictly: one canonical name or address, or a reason why not.
import { domainToASCII } from 'node:url';
import { type Address, parseAddress } from './address.ts';

export type Target =
  | { readonly kind: 'name'; readonly name: string; readonly port: number }
  | { readonly kind: 'address'; readonly name: string; readonly address: Address; readonly port: number };

export interface BadTarget {
  readonly kind: 'invalid';
  readonly reason: string;
}

/** Longest text that is looked at at all */
const longestTarget = 300;

/** Reads the authority of a CONNECT request. */
export function parseTarget(text: string): Target | BadTarget {
  if (text.length > longestTarget) return invalid('the target is too long');
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return invalid('the target is not host:port');
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return invalid('the port is out of range');
  if (match[1] !== undefined) {
    const address = match[1].includes(':') ? parseAddress(match[1]) : undefined;
    if (address === undefined) return invalid('what is in brackets is not an IPv6 address');
    return { kind: 'address', name: match[1], address, port };
  }
  const host = parseHost(match[2] ?? '');
  return 'reason' in host ? host : { ...host, port };
}

type Host =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'address'; readonly name: string; readonly address: Address };

/** Reads a host: a name in ASCII, lower case, without the final dot, or an IPv4 address in its usual notation. */
export function parseHost(text: string): Host | BadTarget {
  if (!/^[\x21-\x7e]+$/.test(text) && /[\s\p{Cc}\p{Cf}]/u.test(text))
    return invalid('the name has invisible characters');
  if (/[@/\\?#%<>^|[\]]/.test(text)) return invalid('the name has characters that a name may not have');
  // IDN becomes its ASCII form, so that what is compared, resolved and logged is one spelling.
  const ascii = /^[\x21-\x7e]*$/.test(text) ? text.toLowerCase() : domainToASCII(text);
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (name === '' || name.length > 253) return invalid('the name is empty or too long');
  const labels = name.split('.');
  const address = parseAddress(name);
  if (address !== undefined && address.family === 4) return { kind: 'address', name, address };
  // Resolvers take 127.1, 0x7f.1 or 2130706433 for addresses; the policy never guesses what they mean.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return invalid('the address is not in the usual notation');
  for (const label of labels) {
    if (!/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) return invalid('a part of the name is not valid');
  }
  return { kind: 'name', name };
}

function invalid(reason: string): BadTarget {
  return { kind: 'invalid', reason };
}
