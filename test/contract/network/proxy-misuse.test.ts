// The proxy of the guest misused: whatever a program says to it, a host that is not allowed is not reached, and each try is logged.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attempt } from '../../../src/network/connection-log.ts';
import { makeGrant } from '../../../src/network/policy.ts';
import { exchange, type NetworkBench, openBench, openService, type Service } from '../../support/network.ts';
import { until } from '../../support/until.ts';

let trap: Service;
let web: Service;
let bench: NetworkBench;
beforeAll(async () => {
  trap = await openService((socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nin the trap'));
  web = await openService((socket) =>
    socket.on('data', (request) => {
      const body = `location: http://127.0.0.1:${trap.port}/\r\ncontent-length: 2\r\n\r\nok`;
      socket.write(`HTTP/1.1 ${request.includes('/redirect') ? '302 Found' : '200 OK'}\r\n${body}`);
    }),
  );
  // Public names lead to the loopback here, as those of somebody who wants in would.
  const resolver = async (): Promise<string[]> => ['127.0.0.1'];
  bench = await openBench({ grant: makeGrant('egress', [`host.pyro.internal:${web.port}`, '*.example']), resolver });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await trap[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
});

const head = (line: string, ...fields: string[]): string => `${[line, ...fields].join('\r\n')}\r\n\r\n`;
const get = (url: string, ...fields: string[]): string => head(`GET ${url} HTTP/1.1`, 'Host: TRAP', ...fields);
/** Greeting, then a request: command, kind of address, address, port of the trap. */
function socks(command: number, kind: number, address: readonly number[]): Buffer {
  const port = [trap.port >> 8, trap.port & 255];
  return Buffer.from([5, 1, 0, 5, command, 0, kind, ...address, ...port]);
}
const named = (name: string): number[] => [name.length, ...Buffer.from(name, 'latin1')];

/** What was refused, once something was. */
async function refusedSince(mark: number): Promise<readonly Attempt[]> {
  await until(() => bench.egress.refusedSince(mark).length > 0);
  // Only time shows that no second report follows.
  await sleep(100);
  return bench.egress.refusedSince(mark);
}

/** TRAP and OPEN stand for the trap and what is allowed, P for the trap's port. By `guest` the proxy refuses it itself, and reports it. */
const requests: readonly (readonly [why: string, request: string | (() => Buffer), by: 'host' | 'guest'])[] = [
  ['a tunnel to the loopback', head('CONNECT TRAP HTTP/1.1', 'Host: TRAP'), 'host'],
  ['a tunnel behind the name of an allowed host', head('CONNECT TRAP HTTP/1.1', 'Host: OPEN'), 'host'],
  ['a tunnel to localhost', head('CONNECT localhost:P HTTP/1.1', 'Host: OPEN'), 'host'],
  ['a tunnel to a name that leads to the loopback', head('CONNECT evil.example:P HTTP/1.1'), 'host'],
  ['a tunnel by a numeric address', head('CONNECT 2130706433:P HTTP/1.1'), 'host'],
  ['a tunnel by a hexadecimal address', head('CONNECT 0x7f000001:P HTTP/1.1'), 'host'],
  ['a tunnel by a short address', head('CONNECT 127.1:P HTTP/1.1'), 'host'],
  ['a tunnel by an octal address', head('CONNECT 0177.0.0.1:P HTTP/1.1'), 'host'],
  ['a tunnel to an IPv6 loopback', head('CONNECT [::1]:P HTTP/1.1'), 'host'],
  ['a tunnel to a mapped address', head('CONNECT [::ffff:127.0.0.1]:P HTTP/1.1'), 'host'],
  ['a tunnel to another port of an allowed host', head('CONNECT host.pyro.internal:P HTTP/1.1'), 'host'],
  ['a tunnel to the metadata of a cloud', head('CONNECT 169.254.169.254:80 HTTP/1.1'), 'host'],
  ['a tunnel with a path', head('CONNECT TRAP/OPEN HTTP/1.1'), 'guest'],
  ['a tunnel with credentials', head('CONNECT OPEN@TRAP HTTP/1.1', 'Host: OPEN'), 'guest'],
  ['a tunnel with a line break', head('CONNECT OPEN%0d%0aHost:TRAP HTTP/1.1'), 'guest'],
  ['a plain request to the loopback', get('http://TRAP/'), 'host'],
  ['a plain request to a name that leads there', get('http://evil.example:P/'), 'host'],
  ['a plain request by a numeric address', get('http://2130706433:P/'), 'host'],
  ['a plain request to a mapped address', get('http://[::ffff:7f00:1]:P/'), 'host'],
  ['a plain request with credentials', get('http://OPEN@TRAP/'), 'guest'],
  ['a plain request by another scheme', get('ftp://TRAP/'), 'guest'],
  ['a plain request for a page over TLS', get('https://TRAP/'), 'guest'],
  ['a request as to a server', get('/'), 'guest'],
  ['a request for all of a server', head('OPTIONS * HTTP/1.1', 'Host: TRAP'), 'guest'],
  ['an upgrade', get('http://TRAP/', 'Upgrade: websocket', 'Connection: Upgrade'), 'host'],
  ['two hosts in the head', get('http://TRAP/', 'Host: OPEN'), 'guest'],
  ['a second request behind an allowed one', `${get('http://OPEN/')}${get('http://TRAP/')}`, 'host'],
  [
    'a request in the body of another',
    `${head('POST http://OPEN/ HTTP/1.1', 'Host: OPEN', 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${get('http://TRAP/')}`,
    'host',
  ],
  ['SOCKS to the loopback', () => socks(1, 1, [127, 0, 0, 1]), 'host'],
  ['SOCKS to the unspecified address', () => socks(1, 1, [0, 0, 0, 0]), 'host'],
  ['SOCKS to localhost', () => socks(1, 3, named('localhost')), 'host'],
  ['SOCKS to an address given as a name', () => socks(1, 3, named('127.0.0.1')), 'host'],
  ['SOCKS to a name that leads there', () => socks(1, 3, named('evil.example')), 'host'],
  ['SOCKS to a name with a zero byte', () => socks(1, 3, named('host.pyro.internal\0.example')), 'guest'],
  ['SOCKS to no name', () => socks(1, 3, [0]), 'host'],
  ['SOCKS to an IPv6 loopback', () => socks(1, 4, [...Array(15).fill(0), 1]), 'host'],
  ['SOCKS to a mapped address', () => socks(1, 4, [...Array(10).fill(0), 255, 255, 127, 0, 0, 1]), 'host'],
  ['SOCKS that wants to listen', () => socks(2, 1, [127, 0, 0, 1]), 'guest'],
  ['SOCKS that wants datagrams', () => socks(3, 1, [127, 0, 0, 1]), 'guest'],
  ['the SOCKS before', () => Buffer.from([4, 1, trap.port >> 8, trap.port & 255, 127, 0, 0, 1, 0]), 'guest'],
];

describe('the proxy', () => {
  it.each(requests)('does not serve %s', async (_why, request, by) => {
    const bytes =
      typeof request === 'string'
        ? request
            .replaceAll('TRAP', `127.0.0.1:${trap.port}`)
            .replaceAll('OPEN', `host.pyro.internal:${web.port}`)
            .replaceAll(':P', `:${trap.port}`)
        : request();
    const before = bench.egress.mark;
    const seen = trap.seen();
    const answer = (await exchange(bench.proxyPort, bytes, false, 1500)).toString('latin1');
    expect(answer).not.toContain('in the trap');
    expect(trap.seen()).toBe(seen);
    const refused = await refusedSince(before);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.verdict).toBe('denied');
    expect(refused[0]?.rule === "guest's proxy" ? 'guest' : 'host').toBe(by);
  });

  it('leaves a redirect to the program, and judges where it leads anew', async () => {
    const url = `http://host.pyro.internal:${web.port}/redirect`;
    const answer = (await exchange(bench.proxyPort, get(url, 'Connection: close'), false, 2000)).toString('latin1');
    expect(answer).toMatch(/^HTTP\/1\.1 302 /);
    expect(trap.seen()).toBe(0);
  });

  it('keeps what is half open within its bounds, and serves others meanwhile', async () => {
    const before = bench.egress.mark;
    const silent = await Promise.all(
      Array.from({ length: 60 }, () => exchange(bench.proxyPort, 'GET http', false, 300)),
    );
    expect(silent.every((answer) => answer.length === 0)).toBe(true);
    await until(() => bench.egress.refusedSince(before).length >= 60);
    const refused = bench.egress.refusedSince(before);
    expect(refused).toHaveLength(60);
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(["malformed request to the guest's proxy"]));
    const url = `http://host.pyro.internal:${web.port}/`;
    expect((await exchange(bench.proxyPort, get(url), false, 1000)).toString('latin1')).toContain('200 OK');
    await until(() => bench.egress.openConnections <= 2);
  });
});
