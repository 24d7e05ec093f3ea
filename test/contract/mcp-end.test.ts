// How the MCP server ends when its input does: what it has read is answered first.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHome, openHome } from '../support/fake.ts';
import { handshake, rawClient } from '../support/mcp.ts';

let home: FakeHome;
beforeEach(() => {
  home = openHome();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

describe('a server whose input ends', () => {
  it('answers what it has read before it ends, also what takes its time and the last line without its end', async () => {
    const child = home.start(['mcp', 'serve']);
    const raw = rawClient(child);
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    raw.send({ id: 1, method: 'initialize', params });
    raw.send({ id: 2, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 1500 } } });
    raw.send({ id: 3, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 60_000 } } });
    raw.send({ id: 4, method: 'tools/call', params: { name: 'fake_echo', arguments: { text: 'x'.repeat(300_000) } } });
    raw.send({ method: 'notifications/cancelled', params: { requestId: 3 } });
    child.stdin?.end('{"jsonrpc":"2.0","id":5,"method":"ping"}');
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
    expect(raw.messages.map(({ id }) => id).sort()).toEqual([1, 2, 4, 5]);
    expect(raw.messages.find(({ id }) => id === 2)?.result).toMatchObject({ structuredContent: { waited_ms: 1500 } });
    const long = { structuredContent: { text: 'x'.repeat(300_000) } };
    expect(raw.messages.find(({ id }) => id === 4)?.result).toMatchObject(long);
  });

  it('answers a slow call at the end of its input by the guard at the latest', async () => {
    const child = home.start(['mcp', 'serve'], { FAKE_GUARD_MS: '1000' });
    const raw = rawClient(child);
    await handshake(raw);
    raw.send({ id: 3, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 60_000 } } });
    child.stdin?.end();
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(raw.messages.find(({ id }) => id === 3)?.result).toMatchObject({ isError: true });
  });
});
