// What the MCP server makes of lines that are no messages, of messages that are too many or too long, and of requests twice.
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHome, openHome } from '../support/fake.ts';
import { handshake, type RawClient, rawClient } from '../support/mcp.ts';

let home: FakeHome;
let child: ChildProcess;
let raw: RawClient;
let stderr = '';
beforeEach(async () => {
  home = openHome();
  child = home.start(['mcp', 'serve']);
  raw = rawClient(child);
  stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  await handshake(raw);
});
afterEach(async () => {
  expect(stderr).toBe('');
  await home[Symbol.asyncDispose]();
});

/** Writes bytes at the pace at which they are read. */
async function write(bytes: Buffer | string): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    child.stdin?.write(bytes, (error) => (error == null ? resolve() : reject(error))),
  );
}

/** The answer to a line, which must be an error, and the answer to a request after it. */
async function refusedAt(line: Buffer | string): Promise<{ id: unknown; code: number; message: string }> {
  const before = raw.messages.length;
  await write(line);
  await write('\n');
  const answer = await raw.next((message) => raw.messages.indexOf(message) >= before && message.error !== undefined);
  const next = await raw.request(1000 + before, 'ping');
  expect(next.result).toEqual({});
  return { id: answer.id, code: answer.error?.code ?? 0, message: answer.error?.message ?? '' };
}

const callOf = (id: number | string, args: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'fake_echo', arguments: args } });

function peakMib(): number {
  const [, kib] = /VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

describe('a line that is no message', () => {
  it.each([
    ['no JSON', '{"jsonrpc":"2.0",', -32700],
    ['bytes of a program', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 0xff, 0xfe]), -32700],
    [
      'not UTF-8 in a text',
      Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":7,"method":"x'), Buffer.from([0xc3, 0x28, 0x22, 0x7d])]),
      -32700,
    ],
    ['NUL', '\0', -32700],
    ['a batch', `[${callOf(7, {})},${callOf(8, {})}]`, -32600],
    ['a number', '42', -32600],
    ['null', 'null', -32600],
    ['an object of another kind', '{"a":1}', -32600],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
    ['an id of 200 KB', callOf('x'.repeat(200_000), {}), -32600],
  ])('is answered with an error and no id: %s', async (_what, line, code) => {
    expect(await refusedAt(line)).toMatchObject({ id: null, code });
  });

  it('is answered by its id where that can be told', async () => {
    expect(await refusedAt('{"jsonrpc":"1.0","id":7,"method":"ping"}')).toMatchObject({ id: 7, code: -32600 });
    expect(await refusedAt('{"jsonrpc":"2.0","id":"a","method":5}')).toMatchObject({ id: 'a', code: -32600 });
  });

  it('is no matter where it is empty, and a byte order mark is none', async () => {
    await write('\r\n\n   \n');
    await write(`\u{feff}${callOf(20, { text: 'marked' })}\r\n`);
    const answer = await raw.next(({ id }) => id === 20);
    expect(answer.result).toMatchObject({ structuredContent: { text: 'marked' } });
  });

  it('is refused where it is nested without end, by the id at either end', async () => {
    for (const depth of [101, 1_000_000]) {
      const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
      const first = `{"jsonrpc":"2.0","id":30,"method":"tools/call","params":{"name":"fake_echo","arguments":{"text":${deep}}}}`;
      expect(await refusedAt(first)).toMatchObject({ id: 30, code: -32600 });
      const last = `{"method":"tools/call","params":{"name":"fake_echo","arguments":{"text":${deep}}},"jsonrpc":"2.0","id":"z"}`;
      expect(await refusedAt(last)).toMatchObject({ id: 'z', code: -32600 });
    }
  });
});

describe('a message that is too long', () => {
  it('is taken up to what a call may have, and answered with an error beyond it, without being kept', async () => {
    const answer = await raw.request(2, 'tools/call', {
      name: 'fake_echo',
      arguments: { text: 'a', more: 'x'.repeat(11_000_000) },
    });
    expect(answer.result).toMatchObject({ isError: true });
    const filler = Buffer.alloc(16 * 1024 * 1024, 'x');
    await write('{"jsonrpc":"2.0","id":41,"method":"tools/call","params":{"name":"fake_echo","arguments":{"text":"');
    for (let turn = 0; turn < 20; turn++) await write(filler);
    expect(await refusedAt('\\"id\\":9}"}}}')).toMatchObject({ id: 41, code: -32600, message: /32 MiB/ });
    await write('{"method":"tools/call","params":{"name":"fake_echo","arguments":{"text":"');
    for (let turn = 0; turn < 3; turn++) await write(filler);
    expect(await refusedAt('"}},"jsonrpc":"2.0","id":"last"}')).toMatchObject({ id: 'last', code: -32600 });
    expect(peakMib()).toBeLessThan(400);
  });

  it('is answered too where the input ends in it', async () => {
    for (let turn = 0; turn < 3; turn++) await write(Buffer.alloc(16 * 1024 * 1024, 'x'));
    child.stdin?.end();
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(raw.messages.at(-1)).toMatchObject({ id: null, error: { code: -32600 } });
  });
});

describe('requests beside others', () => {
  it('are refused with an id that has no answer yet', async () => {
    raw.send({ id: 50, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 60_000 } } });
    expect(await refusedAt(callOf(50, { text: 'twice' }))).toMatchObject({ id: 50, code: -32600 });
    raw.send({ method: 'notifications/cancelled', params: { requestId: 50 } });
    const again = await raw.request(50, 'tools/call', { name: 'fake_echo', arguments: { text: 'twice' } });
    expect(again).toMatchObject({ id: 50 });
  });

  it('are refused beyond what one host may have under way, in number and in length', async () => {
    const text = 'x'.repeat(30_000_000);
    for (const id of [60, 61, 62])
      await write(`${callOf(id, { text: 'a', more: text }).replace('fake_echo', 'fake_wait')}\n`);
    await raw.next(({ id }) => id === 62);
    for (let id = 2000; id < 3100; id++)
      raw.send({ id, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 600_000 } } });
    const answer = await raw.next(({ id, error }) => id === 3099 && error !== undefined);
    expect(answer.error).toMatchObject({ code: -32000, message: /1000 requests/ });
    expect(raw.messages.filter(({ error }) => error?.code === -32000)).toHaveLength(100);
    expect((await raw.request(9000, 'ping')).error).toMatchObject({ code: -32000 });
    for (let id = 2000; id < 3000; id++) raw.send({ method: 'notifications/cancelled', params: { requestId: id } });
    expect((await raw.request(9001, 'ping')).result).toEqual({});
  });
});
