// A hostile guest on the network port: it speaks HTTP/2 with the egress directly, as an agent that it has replaced could.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Attempt, ConnectionLog, readConnectionLog } from '../../../src/network/connection-log.ts';
import type { Resolver } from '../../../src/network/dial.ts';
import { ask, connectTo, type Hostile, hostile } from '../../support/hostile-guest.ts';
import { openService, type Service } from '../../support/network.ts';
import { until } from '../../support/until.ts';

let trap: Service;
beforeAll(async () => {
  trap = await openService((socket) => socket.end('in the trap'));
});
afterAll(() => trap[Symbol.asyncDispose]());

/** What was refused, once something was; of streams that HTTP/2 refuses, the egress hears a moment later. */
async function untilRefused(guest: Hostile, mark: number): Promise<readonly Attempt[]> {
  await until(() => guest.egress.refusedSince(mark).length > 0);
  return guest.egress.refusedSince(mark);
}

describe('public addresses only', () => {
  let guest: Hostile;
  beforeAll(async () => {
    guest = await hostile();
  });
  afterAll(() => guest[Symbol.asyncDispose]());

  const port = (): string => String(trap.port);
  it.each([
    // Names.
    'localhost:P',
    'LOCALHOST:P',
    'localhost.:P',
    'a.localhost:P',
    'localhost.localdomain:P',
    'host.pyro.internal:P',
    'HOST.pyro.internal.:P',
    'x.pyro.internal:P',
    'private.example:P',
    'PRIVATE.example.:P',
    'ten.example:P',
    'mixed.example:P',
    'mapped.example:P',
    'nat64.example:P',
    'metadata.example:P',
    'zone.example:P',
    'nonsense.example:P',
    'nothing.example:P',
    'unknown.example:P',
    'public.example..:P',
    '.public.example:P',
    'pub..example:P',
    `${'a'.repeat(64)}.example:P`,
    `${'a.'.repeat(130)}example:P`,
    '-a.example:P',
    'pub%6cic.example:P',
    'user@private.example:P',
    'user:secret@127.0.0.1:P',
    'private.example:P:80',
    '127.0.0.1\t:P',
    'public.example#@127.0.0.1:P',
    'public.example/127.0.0.1:P',
    '*.example:P',
    // Numbers.
    '127.0.0.1:P',
    '127.0.0.1.:P',
    '127.1:P',
    '127.0.1:P',
    '2130706433:P',
    '0x7f000001:P',
    '0x7f.1:P',
    '0177.0.0.1:P',
    '0:P',
    '0.0.0.0:P',
    '00000177.0.0.1:P',
    '127.0.0.0x1:P',
    '256.256.256.256:P',
    '169.254.169.254:P',
    '10.0.0.1:P',
    '192.168.0.1:P',
    '224.0.0.1:P',
    '255.255.255.255:P',
    // IPv6.
    '[::1]:P',
    '[::]:P',
    '[0:0:0:0:0:0:0:1]:P',
    '[::ffff:127.0.0.1]:P',
    '[::ffff:7f00:1]:P',
    '[::127.0.0.1]:P',
    '[::ffff:0:127.0.0.1]:P',
    '[64:ff9b::127.0.0.1]:P',
    '[64:ff9b:1::127.0.0.1]:P',
    '[2002:7f00:1::]:P',
    '[2001::1]:P',
    '[fe80::1]:P',
    '[fe80::1%25lo]:P',
    '[::1%lo]:P',
    '[fd00:ec2::254]:P',
    '[127.0.0.1]:P',
    '::1:P',
    '[::1]x:P',
    // Ports.
    '127.0.0.1',
    '127.0.0.1:',
    '1.1.1.1:0',
    '1.1.1.1:65536',
    '1.1.1.1:-1',
    '1.1.1.1:80x',
    '1.1.1.1:+80',
    '1.1.1.1:000000080',
    '1.1.1.1: 80',
    ':80',
  ])('does not open %s, and logs it', async (pattern) => {
    const authority = pattern.replaceAll('P', port());
    const before = guest.egress.mark;
    const seen = trap.seen();
    const status = await ask(guest, connectTo(authority));
    expect(status).not.toBe(200);
    expect(trap.seen()).toBe(seen);
    const refused = await untilRefused(guest, before);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.verdict).toMatch(/^(?:denied|failed)$/);
    // What HTTP/2 itself refuses never reached the egress: that it was refused is all that can be said of it.
    if (status === 'broken') expect(refused[0]?.rule).toBe('http2');
    expect(guest.egress.openConnections).toBe(0);
  });

  it('takes nothing but CONNECT', async () => {
    for (const method of ['GET', 'POST', 'OPTIONS', 'PUT']) {
      const headers = { ':method': method, ':path': '/', ':scheme': 'http', ':authority': `127.0.0.1:${trap.port}` };
      const before = guest.egress.mark;
      expect(await ask(guest, headers)).toBe(400);
      expect(guest.egress.refusedSince(before)).toHaveLength(1);
    }
  });

  it('believes the authority alone, not a host header beside it', async () => {
    const status = await ask(guest, {
      ...connectTo('127.0.0.1:1'),
      host: 'public.example',
      'x-forwarded-host': 'public.example',
    });
    expect([403, 400, 'broken']).toContain(status);
  });

  it('refuses giant heads and goes on', async () => {
    const before = guest.egress.mark;
    expect(await ask(guest, { ...connectTo('1.1.1.1:80'), x: 'y'.repeat(20_000) })).toBe('broken');
    expect(await untilRefused(guest, before)).toMatchObject([{ verdict: 'denied', rule: 'http2' }]);
    expect(guest.egress.openConnections).toBe(0);
    expect(await ask(guest, connectTo('127.0.0.1:1'))).toBe(403);
  });
});

describe('an allow-list against a guest that wants more', () => {
  it('dials the address that was judged: a second answer does not count', async () => {
    let turn = 0;
    const rebinding: Resolver = async () => (turn++ === 0 ? ['192.0.2.1'] : ['127.0.0.1']);
    await using guest = await hostile({ resolver: rebinding });
    const seen = trap.seen();
    for (let round = 0; round < 3; round++)
      expect(await ask(guest, connectTo(`rebind.example:${trap.port}`))).not.toBe(200);
    expect(trap.seen()).toBe(seen);
  });

  it('asks nobody for a name that is not on the list', async () => {
    const asked: string[] = [];
    await using guest = await hostile({
      allow: ['public.example'],
      resolver: async (name) => {
        asked.push(name);
        return ['1.1.1.1'];
      },
    });
    expect(await ask(guest, connectTo('secret-data.attacker.example:443'))).toBe(403);
    expect(asked).toEqual([]);
  });

  it('judges each hop of a redirect anew', async () => {
    await using redirecting = await openService((socket) =>
      socket.end(`HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:${trap.port}/\r\n\r\n`),
    );
    await using guest = await hostile({ allow: [`host.pyro.internal:${redirecting.port}`] });
    expect(await ask(guest, connectTo(`host.pyro.internal:${redirecting.port}`))).toBe(200);
    expect(await ask(guest, connectTo(`127.0.0.1:${trap.port}`))).toBe(403);
    expect(await ask(guest, connectTo(`host.pyro.internal:${trap.port}`))).toBe(403);
  });

  it('stops a flood of half-open connections at its limits, and serves again afterwards', async () => {
    await using silent = await openService(() => undefined);
    const allow = [`host.pyro.internal:${silent.port}`];
    await using guest = await hostile({ allow, limits: { mostOpen: 8, burst: 1000, perSecond: 1000 } });
    const streams = Array.from({ length: 40 }, () => guest.session.request(connectTo(allow[0] ?? '')));
    const statuses = await Promise.all(
      streams.map(
        (stream) =>
          new Promise<number>((resolve) => {
            stream.on('error', () => resolve(0));
            stream.once('response', (head) => resolve(head[':status'] ?? 0));
          }),
      ),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(8);
    expect(statuses.filter((status) => status === 429)).toHaveLength(32);
    await until(() => silent.seen() >= 8);
    expect(silent.seen()).toBe(8);
    for (const stream of streams) stream.close();
    await until(() => guest.egress.openConnections === 0);
    expect(await ask(guest, connectTo(allow[0] ?? ''))).toBe(200);
  });

  it('stops a guest that asks too quickly', async () => {
    await using guest = await hostile({ allow: [], limits: { mostOpen: 100, burst: 10, perSecond: 1 } });
    const statuses: (number | 'broken')[] = [];
    for (let turn = 0; turn < 15; turn++) statuses.push(await ask(guest, connectTo('x.example:1')));
    expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 403));
    expect(statuses.slice(-3)).toEqual([429, 429, 429]);
  });

  it('lets a guest that does not read cost no memory', async () => {
    await using source = await openService((socket) => {
      const more = (): void => {
        while (socket.write(Buffer.alloc(65_536)));
      };
      socket.on('drain', more);
      more();
    });
    await using guest = await hostile({ allow: ['host.pyro.internal'] });
    const stream = guest.session.request(connectTo(`host.pyro.internal:${source.port}`));
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('response', resolve));
    const before = process.memoryUsage().rss;
    // The time itself is what is tried: the source never ends.
    await sleep(1000);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
    stream.close();
  });

  it('writes names of a guest so that no terminal obeys them, in a file of bounded size', async () => {
    await using guest = await hostile({ allow: [], limits: { mostOpen: 100, burst: 1e6, perSecond: 1e6 } });
    const log = await ConnectionLog.open(`${guest.logPath}.small`, 4000);
    for (let turn = 0; turn < 200; turn++) {
      log.begin({
        name: `\u001b[2J${'x'.repeat(500)}`,
        port: 1,
        address: null,
        verdict: 'denied',
        rule: 'r',
        reason: null,
        process: null,
      });
      await log.flush();
    }
    const { attempts } = await readConnectionLog(`${guest.logPath}.small`, { limit: 1000 });
    expect(attempts.length).toBeGreaterThan(5);
    expect(attempts.length).toBeLessThan(20);
    expect(attempts.at(-1)).toMatchObject({ sequence: 200, name: `?[2J${'x'.repeat(296)}` });
  });
});

describe('a guest that breaks the protocol', () => {
  it('is refused when it speaks before its turn', async () => {
    await expect(hostile({ greeting: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') })).rejects.toMatchObject({
      code: 'guest_protocol',
    });
  });

  it.each([
    ['random bytes', Buffer.alloc(100_000, 0x55)],
    ['an early end', undefined],
  ])('does no harm with %s', async (_name, bytes) => {
    await using guest = await hostile();
    if (bytes === undefined) guest.socket.destroy();
    else guest.socket.write(bytes);
    // An early end leaves nothing to wait for: only time shows that nothing comes of it.
    if (bytes === undefined) await sleep(200);
    else await until(() => guest.egress.refusedSince(0).length > 0);
    expect(guest.egress.openConnections).toBe(0);
    const refused = guest.egress.refusedSince(0);
    expect(refused.map(({ rule }) => rule)).toEqual(bytes === undefined ? [] : ['http2']);
  });
});
