// Frames of HTTP/2 for the lying agent, which speaks them below the library of its own language.
import { bytes, forever, type Part, text, times } from './lies.ts';

const types = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const endHeaders = 4;
const endStream = 1;

function frame(type: keyof typeof types, flags: number, stream: string, ...payload: Part[]): Part {
  return { frame: { type: types[type], flags, ...(stream === '' ? {} : { stream }), payload } };
}

/** A header that no table remembers */
export function header(name: string, value: string): Part[] {
  const piece = (given: string): Buffer => Buffer.concat([integer(given.length, 0x7f), Buffer.from(given)]);
  if (!value.includes('%08d')) return [bytes(Buffer.concat([Buffer.of(0), piece(name), piece(value)]))];
  const length = value.replaceAll('%08d', '00000000').length;
  return [bytes(Buffer.concat([Buffer.of(0), piece(name), integer(length, 0x7f)])), text(value)];
}

/** As HPACK writes numbers */
function integer(value: number, most: number): Buffer {
  if (value < most) return Buffer.of(value);
  const digits = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) digits.push((rest % 128) + 128);
  return Buffer.from([...digits, rest]);
}

const connect = (authority: string): Part[] => [...header(':method', 'CONNECT'), ...header(':authority', authority)];
const post = (path: string): Part[] => [
  ...header(':method', 'POST'),
  ...header(':scheme', 'http'),
  ...header(':authority', 'host'),
  ...header(':path', path),
];
const number = (value: number): Part => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(value);
  return bytes(four);
};

/** What a guest floods the host with, on the port where it is the client, or in the middle of a session where it is the server */
export const floods = {
  ping: forever(frame('ping', 0, '', bytes(Buffer.alloc(8)))),
  settings: forever(frame('settings', 0, '', bytes(Buffer.from([0, 4, 0, 0, 0xff, 0xff])))),
  'empty settings': forever(frame('settings', 0, '')),
  'window of nothing': forever(frame('windowUpdate', 0, '', number(1))),
  'unknown frames': forever({ frame: { type: 99, flags: 0, payload: [{ fill: 16_000 }] } }),
} as const satisfies Record<string, Part>;

/** The same for the host as the server */
export const clientFloods = {
  ...floods,
  connect: forever(frame('headers', endHeaders, 'next', ...connect('denied.example:443'))),
  'connect and reset': forever(
    frame('headers', endHeaders, 'next', ...connect('denied-%08d.example:443')),
    frame('reset', 0, 'last', number(8)),
  ),
  'broken targets': forever(frame('headers', endHeaders, 'next', ...connect('a b'))),
  'no connect': forever(frame('headers', endHeaders + endStream, 'next', ...post('/'))),
  reports: forever(
    frame('headers', endHeaders, 'next', ...post('/v1/refusals')),
    frame('data', endStream, 'last', text('{"refusals":[],"lost":1}')),
  ),
  'reports without an end': forever(
    frame('headers', endHeaders, 'next', ...post('/v1/refusals')),
    frame('data', 0, 'last', text('{"refusals":[')),
  ),
  'long headers': forever(frame('headers', endHeaders, 'next', ...connect('a:1'), ...header('x', 'x'.repeat(15_000)))),
  'headers that go on': times(
    1,
    frame('headers', 0, 'next', ...connect('a:1')),
    forever(frame('continuation', 0, 'last', ...header('x-%08d'.replace('%08d', 'n'), 'x'.repeat(1000)))),
  ),
  'no window': times(
    1,
    frame('settings', 0, '', bytes(Buffer.from([0, 4, 0, 0, 0, 0]))),
    forever(frame('headers', endHeaders, 'next', ...connect('denied.example:443'))),
  ),
  'window update of zero': forever(frame('windowUpdate', 0, '', number(0))),
  'go away': forever(frame('goAway', 0, '', number(0), number(0))),
  'data without a stream': forever(frame('data', 0, '1', { fill: 16_000 })),
  'no frames at all': forever({ fill: 65_536 }),
} as const satisfies Record<string, Part>;
