// Kinds of IP addresses, pure: which are public, and what the others are, even where one hides inside another.
import { BlockList, isIPv4, isIPv6 } from 'node:net';

export interface Address {
  /** Canonical text; an IPv4 address inside an IPv6 one is given as itself */
  readonly text: string;
  readonly family: 4 | 6;
}

export type AddressKind =
  | 'public'
  | 'private'
  | 'shared'
  | 'loopback'
  | 'link_local'
  | 'metadata'
  | 'multicast'
  | 'unspecified'
  | 'tunnel'
  | 'reserved';

/** Kinds that an allow-list entry can open: an exact address any of these, an exact name only the first two. */
export const openableKinds: readonly AddressKind[] = ['private', 'shared', 'loopback', 'link_local', 'metadata'];
export const kindsThatNamesOpen: readonly AddressKind[] = ['private', 'shared'];

type Block = readonly [string, number];

/** Addresses at which clouds answer their machines; they are looked at before the blocks that contain some of them. */
const metadataAddresses = ['169.254.169.254', '169.254.170.2', '100.100.100.200', '168.63.129.16', '192.0.0.192'];
const metadataAddresses6 = ['fd00:ec2::254', 'fd20:ce::254'];

// https://www.iana.org/assignments/iana-ipv4-special-registry
const special4: readonly (readonly [AddressKind, readonly Block[]])[] = [
  [
    'private',
    [
      ['10.0.0.0', 8],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
    ],
  ],
  ['shared', [['100.64.0.0', 10]]],
  ['loopback', [['127.0.0.0', 8]]],
  ['link_local', [['169.254.0.0', 16]]],
  ['multicast', [['224.0.0.0', 4]]],
  ['unspecified', [['0.0.0.0', 8]]],
  [
    'reserved',
    [
      ['192.0.0.0', 24],
      ['192.0.2.0', 24],
      ['192.88.99.0', 24],
      ['198.18.0.0', 15],
      ['198.51.100.0', 24],
      ['203.0.113.0', 24],
      ['240.0.0.0', 4],
    ],
  ],
];

// https://www.iana.org/assignments/iana-ipv6-special-registry; what is outside 2000::/3 is not public anyway.
const special6: readonly (readonly [AddressKind, readonly Block[]])[] = [
  [
    'private',
    [
      ['fc00::', 7],
      ['fec0::', 10],
    ],
  ],
  ['loopback', [['::1', 128]]],
  ['link_local', [['fe80::', 10]]],
  ['multicast', [['ff00::', 8]]],
  ['unspecified', [['::', 128]]],
  [
    'tunnel',
    [
      ['2001::', 32],
      ['2002::', 16],
      ['64:ff9b:1::', 48],
      ['::', 96],
      ['::ffff:0:0:0', 96],
    ],
  ],
  [
    'reserved',
    [
      ['2001::', 23],
      ['2001:db8::', 32],
      ['3fff::', 20],
    ],
  ],
];

const lists4 = special4.map(([kind, blocks]) => [kind, blockList(blocks, 'ipv4')] as const);
const lists6 = special6.map(([kind, blocks]) => [kind, blockList(blocks, 'ipv6')] as const);
const global6 = blockList([['2000::', 3]], 'ipv6');
const nat64 = blockList([['64:ff9b::', 96]], 'ipv6');

function blockList(blocks: readonly Block[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of blocks) list.addSubnet(address, prefix, family);
  return list;
}

/** An address in its usual notation; undefined for anything else, also for zones and for octal or short IPv4 forms. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { text, family: 4 };
  if (text.includes('%') || !isIPv6(text)) return undefined;
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped !== null) return { text: fromWords(mapped[1], mapped[2]), family: 4 };
  return { text: canonical, family: 6 };
}

/** What an address is for; an IPv4 address behind a translator's prefix counts as itself. */
export function kindOf(address: Address): AddressKind {
  if (address.family === 4) return kindOf4(address.text);
  if (metadataAddresses6.includes(address.text)) return 'metadata';
  if (nat64.check(address.text, 'ipv6')) return kindOf4(lowestWords(address.text));
  for (const [kind, list] of lists6) if (list.check(address.text, 'ipv6')) return kind;
  return global6.check(address.text, 'ipv6') ? 'public' : 'reserved';
}

function kindOf4(text: string): AddressKind {
  if (metadataAddresses.includes(text)) return 'metadata';
  for (const [kind, list] of lists4) if (list.check(text, 'ipv4')) return kind;
  return 'public';
}

/** The special block that holds a whole subnet; undefined when it reaches beyond one, or holds public addresses. */
export function kindOfSubnet(address: Address, prefix: number): AddressKind | undefined {
  const blocks = (address.family === 4 ? special4 : special6).flatMap(([kind, list]) =>
    list.map(([base, length]) => ({ kind, base, length })),
  );
  const family = address.family === 4 ? 'ipv4' : 'ipv6';
  return blocks.find(
    ({ base, length }) => prefix >= length && blockList([[base, length]], family).check(address.text, family),
  )?.kind;
}

function fromWords(high: string | undefined, low: string | undefined): string {
  const [a, b] = [Number.parseInt(high ?? '0', 16), Number.parseInt(low ?? '0', 16)];
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
}

/** The last 32 bits of a canonical IPv6 address as IPv4. */
function lowestWords(text: string): string {
  const [head = '', rest] = text.split('::');
  const tail = rest === undefined ? head : rest;
  const words = tail === '' ? [] : tail.split(':');
  return fromWords(words.at(-2), words.at(-1));
}
