// What a guest says that it refused itself: it comes into the log and opens nothing, whatever a hostile agent says there.
import { describe, expect, it } from 'vitest';
import { deniedConnections } from '../../../src/engine/guests/guest-network.ts';
import { readConnectionLog } from '../../../src/network/connection-log.ts';
import { Egress } from '../../../src/network/egress.ts';
import { makeGrant } from '../../../src/network/policy.ts';
import { workspaceNetwork } from '../../../src/operations/workspace-network.ts';
import { ask, connectTo, type Hostile, hostile } from '../../support/hostile-guest.ts';
import { exchange, openBench, openService } from '../../support/network.ts';
import { until } from '../../support/until.ts';

/** Posts a body as the agent does; the status, or `broken`. */
async function post(guest: Hostile, body: string | Buffer, path = '/v1/refusals'): Promise<number | 'broken'> {
  const { promise, resolve } = Promise.withResolvers<number | 'broken'>();
  const stream = guest.session.request({ ':method': 'POST', ':path': path, ':scheme': 'http', ':authority': 'host' });
  stream.on('error', () => resolve('broken'));
  stream.once('close', () => resolve('broken'));
  stream.once('response', (head) => {
    resolve(head[':status'] ?? 'broken');
    stream.resume();
  });
  stream.end(body);
  return await promise;
}
const report = (refusals: object[], lost = 0): string => JSON.stringify({ refusals, lost });

describe('a report of refusals', () => {
  it('becomes lines that can be read', async () => {
    await using guest = await hostile();
    const refusals = [
      { kind: 'malformed_request', asked: 'CONNECT a.example:443', process: 'p3' },
      { kind: 'datagram', asked: '1.2.3.4:99' },
      { kind: 'ping', asked: '2001:db8::1' },
    ];
    expect(await post(guest, report(refusals))).toBe(200);
    await guest.log.flush();
    const { attempts } = await readConnectionLog(guest.logPath, { limit: 10 });
    expect(attempts).toMatchObject([
      { name: 'CONNECT a.example:443', port: null, verdict: 'denied', rule: "guest's proxy", process: 'p3' },
      { name: '1.2.3.4', port: 99, address: null, verdict: 'denied', process: null, bytes_in: 0, bytes_out: 0 },
      { name: '2001:db8::1', port: null, verdict: 'denied', reason: 'no ping may leave a guest' },
    ]);
    const output = { workspace_id: 'x', network_policy: 'egress', attempts: [...attempts], next_cursor: null };
    const lines = workspaceNetwork.receive(output).text.replaceAll(/ {2,}/g, ' | ').split('\n');
    expect(lines[1]).toMatch(/ \| denied \| CONNECT a\.example:443 \| - \| .*malformed request to the guest's proxy$/);
    expect(lines[2]).toMatch(/ \| denied \| 1\.2\.3\.4:99 \| - \| .*no datagram may leave a guest$/);
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['nothing', ''],
    ['another shape', '{"refusals":{}}'],
    ['an unknown kind', report([{ kind: 'allowed', asked: 'x' }])],
    ['words of its own', report([{ kind: 'ping', asked: 'x', reason: 'all is well', verdict: 'allowed' }])],
    ['a very long text', report([{ kind: 'ping', asked: 'x'.repeat(301) }])],
    ['a process that is a path', report([{ kind: 'ping', asked: 'x', process: '../../x' }])],
    ['too many', report(Array.from({ length: 65 }, () => ({ kind: 'ping', asked: 'x' })))],
    ['a negative number', report([], -5)],
    ['a number beyond all', '{"refusals":[],"lost":1e300}'],
    ['a megabyte', Buffer.alloc(1 << 20, 0x20)],
  ])('is refused with %s, which is logged', async (_what, body) => {
    await using guest = await hostile();
    expect(await post(guest, body)).toBe(400);
    expect(guest.egress.refusedSince(0)).toMatchObject([{ name: 'a report of the guest', reason: 'malformed report' }]);
    expect(await post(guest, report([{ kind: 'ping', asked: '1.1.1.1' }]))).toBe(200);
  });

  it('has no character that a terminal obeys, and nothing else of it counts', async () => {
    await using guest = await hostile({ allow: [] });
    await post(guest, report([{ kind: 'target', asked: '\u001b[2J\nallowed public.example:443' }]));
    expect(guest.egress.refusedSince(0)[0]?.name).toBe('?[2J?allowed public.example:443');
    expect(await ask(guest, connectTo('public.example:443'))).toBe(403);
    expect(await post(guest, report([]), '/v1/others')).toBe(400);
  });

  it('is one of a flood: what goes beyond the limit is one line, and connections are not held up', async () => {
    await using service = await openService((socket) => socket.end('hello'));
    const allow = [`host.pyro.internal:${service.port}`];
    await using guest = await hostile({ allow, limits: { mostOpen: 8, burst: 100, perSecond: 1 } });
    const full = report(
      Array.from({ length: 64 }, (_, index) => ({ kind: 'datagram', asked: `10.0.0.${index}:1` })),
      1000,
    );
    const before = process.memoryUsage().heapUsed;
    for (let turn = 0; turn < 100; turn++) expect(await post(guest, full)).toBe(200);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
    expect(await ask(guest, connectTo(allow[0] ?? ''))).toBe(200);
    const toldOf = (sums: readonly { name: string }[]): number =>
      sums.reduce((total, { name }) => total + Number.parseInt(name, 10), 0);
    await until(() => {
      const told = guest.egress.refusedSince(0);
      const counted = told.filter(({ rule }) => rule === 'limit');
      return told.length - counted.length + toldOf(counted) >= 100 * 1064;
    });
    const refused = guest.egress.refusedSince(0);
    const sums = refused.filter(({ rule }) => rule === 'limit');
    const listed = refused.length - sums.length;
    expect(listed).toBeGreaterThanOrEqual(100);
    expect(listed).toBeLessThan(110);
    expect(sums.length).toBeLessThan(6);
    expect(toldOf(sums) + listed).toBe(100 * 1064);
    expect(sums[0]?.name).toMatch(/^\d+ more refusals? in the guest$/);
    expect(sums[0]?.reason).toBe('more than 1 a second: not listed one by one');
  });

  it('is read one at a time, and not for ever', async () => {
    await using guest = await hostile();
    const silent = guest.session.request({
      ':method': 'POST',
      ':path': '/v1/refusals',
      ':scheme': 'http',
      ':authority': 'host',
    });
    silent.on('error', () => undefined);
    silent.write('{');
    await until(async () => (await post(guest, report([]))) === 429);
    silent.close();
    await until(async () => (await post(guest, report([]))) === 200);
  });

  it('shows each target once in the results of commands', async () => {
    await using guest = await hostile();
    const quic = Array.from({ length: 30 }, () => ({ kind: 'datagram', asked: '1.2.3.4:443' }));
    await post(guest, report([{ kind: 'ping', asked: '1.1.1.1' }, ...quic]));
    expect(deniedConnections(guest.egress.refusedSince(0)).map(({ target }) => target)).toEqual([
      '1.1.1.1',
      '1.2.3.4:443',
    ]);
  });
});

describe('the real agent', () => {
  it('answers and serves through a flood of misuse, and all of it is told or counted', async () => {
    await using service = await openService((socket) => socket.end('hello'));
    const allow = [`host.pyro.internal:${service.port}`];
    await using bench = await openBench({
      grant: makeGrant('egress', allow),
      limits: { mostOpen: 64, burst: 200, perSecond: 10 },
    });
    const began = performance.now();
    const misuse = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn++) await exchange(bench.proxyPort, 'nonsense\r\n\r\n', false, 30_000);
    };
    const misuses = Array.from({ length: 300 }, misuse);
    await until(() => bench.egress.refusedSince(0).length > 0);
    const through = `CONNECT ${allow[0]} HTTP/1.1\r\n\r\n`;
    const started = performance.now();
    const answer = await exchange(bench.proxyPort, through, false, 30_000);
    expect(answer.toString()).toMatch(/200 [\s\S]*hello$/);
    expect(performance.now() - started).toBeLessThan(20_000);
    await Promise.all(misuses);
    const refused = async () => {
      await bench.log.flush();
      return (await readConnectionLog(bench.logPath, { limit: 10_000, isRefusedOnly: true })).attempts;
    };
    const count = (attempts: Awaited<ReturnType<typeof refused>>): number =>
      attempts.reduce((total, { rule, name }) => total + (rule === 'limit' ? Number.parseInt(name, 10) : 1), 0);
    await until(async () => count(await refused()) >= 1500);
    const attempts = await refused();
    expect(count(attempts)).toBe(1500);
    // 200 at once and 10 a second are listed; a line for the rest comes at most once a second.
    const seconds = (performance.now() - began) / 1000;
    expect(attempts.length).toBeLessThan(250 + 12 * seconds);
  });

  it('tells after a pause of the host what was refused meanwhile', async () => {
    await using bench = await openBench();
    const { socketPath, magic, log } = bench;
    await bench.egress[Symbol.asyncDispose]();
    const answer = await exchange(bench.proxyPort, 'nonsense\r\n\r\n', false, 5000);
    expect(answer.toString()).toContain('400 Bad Request');
    await using again = await Egress.open({ socketPath, magic, log, grant: makeGrant('egress') });
    await until(() => again.refusedSince(0).length > 0);
    expect(again.refusedSince(0)).toMatchObject([{ name: 'bytes that are not a request', verdict: 'denied' }]);
  });
});
