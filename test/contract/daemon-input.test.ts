// What the daemon makes of requests that no front sends: each is refused or cut off, and the next one is answered.
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRandom } from '../../fuzz/mutate.ts';
import { contentOf, type FakeHome, openHome } from '../support/fake.ts';

let home: FakeHome;
let socket = '';
beforeAll(async () => {
  home = openHome();
  await home.run(['call', 'fake.echo', '{"text":"hi"}']);
  socket = (await home.status())?.socket ?? '';
});
afterAll(async () => await home?.[Symbol.asyncDispose]());

/** Sends bytes and closes our side; gives what comes back. */
async function send(bytes: Buffer): Promise<string> {
  return await new Promise((resolve) => {
    let answer = '';
    const connection = connect(socket, () => connection.end(bytes));
    connection.on('data', (chunk) => {
      answer += chunk.toString('utf8');
    });
    connection.on('error', () => undefined);
    connection.once('close', () => resolve(answer));
  });
}

function post(body: string | Buffer, path = '/v1/call', more = ''): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nhost: x\r\n${more}content-length: ${bytes.length}\r\n\r\n`),
    bytes,
  ]);
}

function callOf(operation: string, input: string, front = '{"version":"0.0.0","pid":1}'): string {
  return `{"operation":${JSON.stringify(operation)},"input":${input},"context":{"host_paths":"any","project":null,"network":null,"front":${front}}}`;
}

async function assertWell(answer: string, what: string): Promise<void> {
  expect(answer, what).not.toMatch(/"internal"|\n {4}at /);
  expect(contentOf(home.path('state/logs/daemon.log')), what).not.toMatch(/uncaught|unhandled|operation_failed/);
}

const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;

it.each([
  ['nested without end', post(callOf('fake.echo', `{"text":${deep}}`))],
  ['nested without end, all of it', post(deep)],
  [
    'not UTF-8',
    post(Buffer.concat([Buffer.from('{"operation":"'), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('"}')])),
  ],
  ['an operation of a prototype', post(callOf('__proto__', '{}'))],
  ['another', post(callOf('constructor', '{}'))],
  ['an operation with a zero byte', post(callOf('fake.echo\0', '{}'))],
  ['input of a prototype', post(callOf('fake.echo', '{"__proto__":{"text":"x"},"constructor":1}'))],
  ['half a character', post(callOf('fake.echo', '{"text":"\\ud800"}'))],
  ['a text of 20 MB', post(callOf('fake.echo', `{"text":7,"x":"${'x'.repeat(20_000_000)}"}`))],
  [
    '100,000 names that nobody knows',
    post(callOf('fake.echo', `{${Array.from({ length: 100_000 }, (_, at) => `"n${at}":1`).join(',')}}`)),
  ],
  ['a version that is none', post(callOf('fake.echo', '{"text":"a"}', '{"version":"\\u0000../x","pid":1e300}'))],
  ['a header without end', Buffer.from(`GET /v1/status HTTP/1.1\r\nx: ${'x'.repeat(200_000)}\r\n\r\n`)],
  ['10,000 headers', Buffer.from(`GET /v1/status HTTP/1.1\r\n${'a: b\r\n'.repeat(10_000)}\r\n`)],
  ['two lengths', post('{}', '/v1/call', 'content-length: 5\r\n')],
  ['a length and pieces', post('{}', '/v1/call', 'transfer-encoding: chunked\r\n')],
  ['a path with a line end', Buffer.from('GET /v1/status\r\nx HTTP/1.1\r\n\r\n')],
  ['a path of 100 KB', post('{}', `/${'p'.repeat(14_000)}`)],
  [
    'an upgrade of another kind',
    Buffer.from('GET /v1/live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
  ],
  [
    'an upgrade and then bytes of a program',
    Buffer.concat([
      Buffer.from('GET /v1/live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: pyro-live\r\n\r\n'),
      Buffer.alloc(5000, 0xfe),
    ]),
  ],
])('answers or cuts off %s', async (what, bytes) => {
  await assertWell(await send(bytes), what);
  expect(await send(Buffer.from('GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'))).toContain(
    '"pid":',
  );
});

it('outlives requests with bytes changed at random', async () => {
  const random = createRandom(5);
  for (let turn = 0; turn < 300; turn++) {
    const bytes = post(callOf('fake.echo', '{"text":"hello","count":2}'));
    for (let left = 1 + random(4); left > 0; left--) bytes[random(bytes.length)] = random(256);
    await assertWell(await send(bytes), bytes.toString('latin1'));
  }
  expect(await home.run(['call', 'fake.echo', '{"text":"hi"}'])).toMatchObject({ text: 'hi' });
});
