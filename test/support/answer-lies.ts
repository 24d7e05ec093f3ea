// Answers that an agent would never give, by the request: wrong lengths, sizes beyond all numbers, names that lead elsewhere.
import type { GuestCallName } from './guest-calls.ts';
import { bytes, forever, framed, type Lie, type Part, tarEntry, tarOver, text, times } from './lies.ts';

export interface AnswerLie {
  readonly name: string;
  readonly lies: readonly Lie[];
  /** True for one that takes long, or that only a limit of the whole call ends */
  readonly isSlow?: boolean;
  /** Calls that ask for it, by their names in {@link guestCalls} */
  readonly calls: readonly GuestCallName[];
}

const base64 = (given: string | Buffer): string => Buffer.from(given).toString('base64');
const huge = '9223372036854775808';
const names: Readonly<Record<string, string | Buffer>> = {
  '..': '../../../../tmp/pyro-escaped',
  'a NUL': 'a\0b',
  'a new line': 'a\nb',
  escapes: '\u001b]0;title\u0007\u001b[2J',
  'an absolute path': '/tmp/pyro-escaped',
  nothing: '',
  'a dot': '.',
  'no text': Buffer.from([0xff, 0xfe, 0x80]),
  'a long part': 'x'.repeat(300),
  '2,000 folders': `${'d/'.repeat(2000)}f`,
  '100,000 folders': `${'d/'.repeat(100_000)}f`,
};
const odd = Object.entries(names);
const deepJson = text('['.repeat(500_000));
const slice = {
  'pyro-size': '5',
  'pyro-mode': '420',
  'pyro-offset': '0',
  'pyro-first-line': '0',
  'pyro-cut': 'false',
};

const started = framed(3, '{"event":"started","id":"a","pid":1}');
const exit = (fields: string): Part[] => framed(3, `{"event":"exit","timed_out":false,"stderr_bytes":0,${fields}}`);
const processLies: AnswerLie[] = (
  [
    ['a frame of 4 GiB', [...started, ...framed(1, 'a', 0xffffffff)]],
    ['a frame longer than its stream', [...started, ...framed(1, 'a', 60_000)]],
    ['an exit code of 2^63', [...started, ...exit(`"exit_code":${huge},"stdout_bytes":0`)]],
    ['an output of 2^63 bytes', [...started, ...exit(`"exit_code":0,"stdout_bytes":${huge}`)]],
    [
      'a gap of 2^53 bytes',
      [...started, ...framed(3, '{"event":"gap","stream":"stdout","from":0,"to":9007199254740991}')],
    ],
    ['deep JSON', framed(3, '['.repeat(60_000))],
    ['an id that leads elsewhere', framed(3, '{"event":"started","id":"../../v1/poweroff","pid":1}')],
    ['starts without an end', [forever(...started)]],
    ['gaps without an end', [...started, forever(...framed(3, '{"event":"gap","stream":"stdout","from":0,"to":1}'))]],
  ] as const
).map(([name, body]) => ({
  name,
  lies: [{ on: 'POST /v1/processes', body, times: 3 }],
  calls: ['exec', 'service', 'shell'],
}));

function entry(path: string | Buffer, more = ''): string {
  return `{"path":"${base64(path)}","type":"file","size":1,"mode":420,"mtime_ms":0${more}}`;
}

const listLies: AnswerLie[] = [
  ...odd.map(([name, path]) => ({ name: `a name that is ${name}`, body: [text(`{"entries":[${entry(path)}]}`)] })),
  {
    name: 'a size of 2^63',
    body: [text(`{"entries":[{"path":"YQ==","type":"file","size":${huge},"mode":420,"mtime_ms":0}]}`)],
  },
  {
    name: 'a time of 2^53',
    body: [text('{"entries":[{"path":"YQ==","type":"file","size":1,"mode":420,"mtime_ms":9007199254740991}]}')],
  },
  { name: 'deep JSON', body: [text('{"entries":'), deepJson] },
  { name: 'a cursor that stands still', body: [text('{"entries":[],"next_cursor":""}')] },
  {
    name: '10,000 entries',
    body: [text('{"entries":['), times(9999, text(`${entry('/a')},`)), text(`${entry('/a')}]}`)],
  },
].map(({ name, body }) => ({ name, lies: [{ on: 'GET /v1/files', body, times: 3 }], calls: ['list'] }));

const readLies: AnswerLie[] = (
  [
    ['a size of 2^63', { ...slice, 'pyro-size': huge }, [text('hello')]],
    ['an offset of 2^53', { ...slice, 'pyro-offset': '9007199254740991' }, [text('hello')]],
    ['an offset far on', { ...slice, 'pyro-offset': '900719925474099' }, [text('hello')]],
    ['a size below its bytes', { ...slice, 'pyro-size': '1', 'pyro-cut': 'true' }, [text('hello')]],
    ['a negative size', { ...slice, 'pyro-size': '-1' }, [text('hello')]],
    ['a content length of 2^63', { ...slice, 'content-length': huge }, [text('hello')]],
  ] as const
).map(([name, headers, body]) => ({
  name,
  lies: [{ on: 'GET /v1/files/content', headers, body, times: 2 }],
  calls: ['read'],
}));

function head(path: string | Buffer, size: number | string = 1, type = 'file'): string {
  return `{"path":"${base64(path)}","after":{"type":"${type}","mode":420,"size":${size}}}`;
}
const end = framed(4, '{"torn":false}');
const all = (records: number): Part[] => framed(5, `{"records":${records}}`);
const readers: readonly GuestCallName[] = ['diff', 'diff of the system', 'summary', 'patch', 'export of a patch'];

/** Pieces that come only where contents were asked for */
const content = new Set<Part>();
function filling(given: string | Buffer): Part[] {
  const part: Part = times(1, ...framed(3, given));
  content.add(part);
  return [part];
}
function endlessly(given: string | Buffer): Part {
  const part = forever(...framed(3, given));
  content.add(part);
  return part;
}
const x = filling('x');
const changesLies: AnswerLie[] = (
  [
    ...odd.map(([name, path]) => [`a name that is ${name}`, [...framed(1, head(path)), ...x, ...end, ...all(1)]]),
    ['a size of 2^63', [...framed(1, head('a', huge)), ...x, ...end, ...all(1)]],
    ['a size of 2^53', [...framed(1, head('a', 9007199254740991)), endlessly(Buffer.alloc(60_000)), ...end, ...all(1)]],
    ['content longer than it said', [...framed(1, head('a', 1)), ...filling('xyz'), ...end, ...all(1)]],
    ['content shorter than it said', [...framed(1, head('a', 9)), ...filling('xyz'), ...end, ...all(1)]],
    ['empty content without an end', [...framed(1, head('a', 9)), endlessly(''), ...end, ...all(1)]],
    ['a wrong count', [...framed(1, head('a')), ...x, ...end, ...all(5)]],
    ['deep JSON', framed(1, '['.repeat(60_000))],
    ['folders with content', [...framed(1, head('a', 5, 'directory')), ...filling('hello'), ...end, ...all(1)]],
    ['a path twice', [...times2([...framed(1, head('a')), ...x, ...end]), ...all(2)]],
    [
      'a file and what is below it',
      [...framed(1, head('a')), ...filling('x'), ...end, ...framed(1, head('a/b')), ...filling('x'), ...end, ...all(2)],
    ],
    ['a failure with a long message', framed(6, `{"code":"internal","message":"${'\\u001b'.repeat(4000)}"}`)],
    ['a failure that is ours', framed(6, '{"code":"internal","message":"x"}')],
    [
      'numbers folded up to 2^53',
      [...framed(1, `{"path":"YQ==","folded":{"files":9007199254740991,"bytes":9007199254740991}}`), ...end, ...all(1)],
    ],
  ] as [string, Part[]][]
).map(([name, body]) => ({
  name,
  lies: [
    { on: 'POST /v1/changes', if: '"content":true', body },
    { on: 'POST /v1/changes', body: body.filter((part) => !content.has(part)) },
  ],
  calls: readers,
}));

function times2(parts: readonly Part[]): Part[] {
  return [...parts, ...parts];
}

const exporters: readonly GuestCallName[] = ['export of files', 'export of an archive', 'copy'];
const top = tarEntry({ name: './', type: 'directory', mode: 0o755 });
const archiveLies: AnswerLie[] = (
  [
    ...odd
      .filter(([name]) => name !== 'nothing')
      .map(([name, path]) => [
        `a name that is ${name}`,
        [top, tarEntry({ name: Buffer.from(path).toString('latin1') }, 'x'), tarOver],
      ]),
    [
      'a link out and a file through it',
      [
        top,
        tarEntry({ name: 'l', type: 'symlink', linkname: '/tmp' }),
        tarEntry({ name: 'l/pyro-escaped' }, 'x'),
        tarOver,
      ],
    ],
    [
      'a link up and a file through it',
      [
        top,
        tarEntry({ name: 'l', type: 'symlink', linkname: '..' }),
        tarEntry({ name: 'l/pyro-escaped' }, 'x'),
        tarOver,
      ],
    ],
    ['a hard link out', [top, tarEntry({ name: 'l', type: 'link', linkname: '../../../../etc/passwd' }), tarOver]],
    [
      'a hard link to a link',
      [
        top,
        tarEntry({ name: 's', type: 'symlink', linkname: '/etc/passwd' }),
        tarEntry({ name: 'l', type: 'link', linkname: 's' }),
        tarOver,
      ],
    ],
    ['a file in place of its root', [tarEntry({ name: './' }, 'x'), tarEntry({ name: 'a' }, 'x'), tarOver]],
    [
      'a link in place of its root',
      [tarEntry({ name: '.', type: 'symlink', linkname: '/tmp' }), tarEntry({ name: 'pyro-escaped' }, 'x'), tarOver],
    ],
    ['a name twice', [top, tarEntry({ name: 'a' }, 'x'), tarEntry({ name: 'a' }, 'y'), tarOver]],
    ['a device', [top, tarEntry({ name: 'd', type: 'block-device', devmajor: 8 }), tarOver]],
    ['a program of another user', [top, tarEntry({ name: 's', mode: 0o6755, uid: 0 }, 'x'), tarOver]],
    ['a file of 2^53 bytes', [top, tarEntry({ name: 'a' }, '', 9007199254740991), forever({ fill: 1 << 20 })]],
    ['a file of an exbibyte', [top, tarEntry({ name: 'a' }, '', 2 ** 60), forever({ fill: 1 << 20 })]],
    ['an archive without an end', [top, tarOver, forever({ fill: 1 << 20 })]],
    ['an extension of 2^33 bytes', [bytes(extension(2 ** 33 - 1)), forever({ fill: 1 << 20 })]],
    ['extensions without an end', [forever(bytes(extension(0)))]],
    ['a sparse file of an exbibyte', [top, bytes(sparse()), tarOver]],
    ['compressed bytes', [bytes(Buffer.from('1f8b0800000000000003', 'hex')), forever({ fill: 1 << 20 })]],
    ['a header that is cut', [bytes(Buffer.alloc(300, 65))]],
  ] as [string, Part[]][]
).map(([name, body]) => ({ name, lies: [{ on: 'POST /v1/tree/pack', body }], calls: exporters }));

/** An extended header alone. */
function extension(size: number): Buffer {
  const [header] = [Buffer.from(tarEntry({ name: 'PaxHeader' }, '', size).base64 ?? '', 'base64')];
  return retyped(header, 'x');
}

/** GNU's old kind of sparse file: one piece of a few bytes, and a real size beyond all disks. */
function sparse(): Buffer {
  const header = Buffer.from(tarEntry({ name: 'sparse' }, 'x'.repeat(512)).base64 ?? '', 'base64');
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')} `;
  header.write('ustar  \0', 257, 'latin1');
  header.write(octal(0, 12), 386, 'latin1');
  header.write(octal(512, 12), 398, 'latin1');
  header.writeUInt8(0x80, 483);
  header.writeUIntBE(2 ** 47, 489, 6);
  return retyped(header, 'S');
}

function retyped(entry: Buffer, flag: string): Buffer {
  const header = Buffer.from(entry);
  header.write(flag, 156, 'latin1');
  header.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of header.subarray(0, 512)) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

const compareLies: AnswerLie[] = (
  [
    ...odd.map(([name, path]) => [`a name that is ${name}`, [text(`{"extra":["${base64(path)}"]}\n{"end":true}\n`)]]),
    ['an index of 2^53', [text('{"different":[9007199254740991]}\n{"end":true}\n')]],
    ['an index twice', [text('{"different":[0,0]}\n{"end":true}\n')]],
    ['deep JSON', [deepJson]],
    ['empty lines without an end', [forever(text('\n'))]],
    ['empty parts without an end', [forever(text('{}\n'))]],
    ['paths without an end', [forever(text('{"extra":["%08d"]}\n'))]],
    ['something behind the end', [text('{"end":true}\n{}\n')]],
  ] as [string, Part[]][]
).map(([name, body]) => ({ name, lies: [{ on: 'POST /v1/tree/compare', body }], calls: ['comparison of a push'] }));

const singleLies: AnswerLie[] = (
  [
    ['PUT /v1/files/content', 'write', `{"size":${huge},"mode":420,"was_created":true}`],
    ['POST /v1/files/replace', 'edit', `{"size":1,"replaced_count":${huge}}`],
    ['POST /v1/tree/unpack', 'push', `{"written":${huge},"deleted":-1}`],
    [
      'GET /v1/status',
      'status',
      `{"uptime_ms":${huge},"memory_total_bytes":1,"memory_available_bytes":1,"processes":1,"activated":true}`,
    ],
    ['POST /v1/probe', 'probe', `{"ready":false,"detail":"${'\\u001b[2J'.repeat(200)}"}`],
  ] as const
).map(([on, call, answer]) => ({
  name: 'numbers of 2^63',
  lies: [{ on, body: [text(answer)], times: 3 }],
  calls: [call],
}));

/** Only a limit of the whole call ends the first; the other is work with the host's disk for each of its folders */
const slow = ['a size of 2^53', 'a name that is 2,000 folders'];

export const answerLies: readonly AnswerLie[] = [
  ...processLies,
  ...listLies,
  ...readLies,
  ...changesLies,
  ...archiveLies,
  ...compareLies,
  ...singleLies,
].map((each) => ({ ...each, isSlow: slow.includes(each.name) && !each.calls.includes('list') }));
