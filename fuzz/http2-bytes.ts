// Bytes of HTTP/2 from an input: a list of frames, each with a right length, so that what is inside them gets its turn.
//
// Each record of the input is: what to send, flags, stream, length, content.

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const kinds = { data: 0, headers: 1, settings: 4, ping: 6, goAway: 7 } as const;
/** Below this number a record is a frame of that type as it is; the rest are made */
const rawTypes = 11;
const endHeaders = 4;
const endStream = 1;
const ack = 1;

export const settings: Buffer = frame(kinds.settings, 0, 0, Buffer.alloc(0));
export const settingsTaken: Buffer = frame(kinds.settings, ack, 0, Buffer.alloc(0));
/** Its answer tells that all before it has been read */
export const lastPing: Buffer = frame(kinds.ping, 0, 0, Buffer.from('fuzzfuzz'));

/** What a client sends that begins a session and then the input. */
export function clientBytes(input: Buffer): Buffer {
  const made = [...records(input)].map(({ kind, flags, stream, content }) => {
    const odd = stream | 1;
    if (kind < rawTypes) return frame(kind, flags, stream, content);
    if (kind < 180)
      return frame(
        kinds.headers,
        endHeaders,
        odd,
        fields({ ':method': 'CONNECT', ':authority': content.toString('latin1') }),
      );
    if (kind < 220) {
      const head = { ':method': 'POST', ':path': '/v1/refusals', ':scheme': 'http', ':authority': 'x' };
      const body = frame(kinds.data, endStream, odd, content);
      return Buffer.concat([frame(kinds.headers, endHeaders, odd, fields(head)), body]);
    }
    if (kind < 240) return frame(kinds.data, flags & endStream, odd, content);
    return content;
  });
  return Buffer.concat([preface, settings, settingsTaken, ...made]);
}

/** What a server answers to the first streams: the input is heads and bodies of answers. */
export function serverBytes(input: Buffer): Buffer {
  const made = [...records(input)].map(({ kind, flags, stream, content }) => {
    const first = (stream & 6) | 1;
    if (kind < rawTypes) return frame(kind, flags, stream, content);
    if (kind < 120)
      return frame(kinds.headers, endHeaders, first, fields({ ':status': flags > 200 ? '404' : '200', ...slice }));
    if (kind < 240) return frame(kinds.data, flags & endStream, first, content);
    return content;
  });
  return Buffer.concat([settings, settingsTaken, ...made]);
}

/** The head of a slice of a file, which other calls do not look at */
const slice = {
  'pyro-size': '5',
  'pyro-mode': '420',
  'pyro-offset': '0',
  'pyro-first-line': '0',
  'pyro-cut': 'false',
};

interface Record {
  readonly kind: number;
  readonly flags: number;
  readonly stream: number;
  readonly content: Buffer;
}

function* records(input: Buffer): Generator<Record> {
  for (let at = 0; at + 5 <= input.length; ) {
    const length = input.readUInt16BE(at + 3);
    const content = input.subarray(at + 5, at + 5 + length);
    yield { kind: input.readUInt8(at), flags: input.readUInt8(at + 1), stream: input.readUInt8(at + 2), content };
    at += 5 + content.length;
  }
}

/** One record as {@link records} reads it. */
export function record(kind: number, flags: number, stream: number, content: string | Buffer = ''): Buffer {
  const body = Buffer.from(content);
  const head = Buffer.from([kind, flags, stream, 0, 0]);
  head.writeUInt16BE(body.length, 3);
  return Buffer.concat([head, body]);
}

function frame(type: number, flags: number, stream: number, content: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(content.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, content]);
}

/** Fields of a head, each written out: no table, no Huffman code. */
function fields(all: Readonly<globalThis.Record<string, string>>): Buffer {
  return Buffer.concat(Object.entries(all).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest: number[] = [];
  let left = bytes.length - 127;
  for (; left >= 128; left >>= 7) rest.push((left & 127) | 128);
  return Buffer.concat([Buffer.from([127, ...rest, left]), bytes]);
}
