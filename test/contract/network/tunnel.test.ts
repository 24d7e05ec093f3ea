// The way out and the way in through the real agent: what is granted works like a plain connection.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToGuest } from '../../../src/agent/guest-network.ts';
import { readConnectionLog } from '../../../src/network/connection-log.ts';
import { Egress } from '../../../src/network/egress.ts';
import { makeGrant } from '../../../src/network/policy.ts';
import { PublishedPort } from '../../../src/network/publish.ts';
import { exchange, type NetworkBench, openBench, openService, type Service } from '../../support/network.ts';
import { until } from '../../support/until.ts';

let bench: NetworkBench;
let echo: Service;
let web: Service;
beforeAll(async () => {
  echo = await openService((socket) => socket.pipe(socket));
  web = await openService((socket) =>
    socket.once('data', (request) =>
      socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${request.toString('latin1')}`),
    ),
  );
  const host = 'host.pyro.internal';
  bench = await openBench({ grant: makeGrant('egress', [`${host}:${echo.port}`, `${host}:${web.port}`]) });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
});

function through(port: number): string {
  return `CONNECT host.pyro.internal:${port} HTTP/1.1\r\nHost: host.pyro.internal:${port}\r\n\r\n`;
}

describe('the way out', () => {
  it('carries bytes both ways through CONNECT and lets each direction end by itself', async () => {
    const answer = await exchange(bench.proxyPort, `${through(echo.port)}hello`, true);
    expect(answer.toString('latin1')).toBe('HTTP/1.1 200 Connection established\r\n\r\nhello');
  });

  it('speaks SOCKS5', async () => {
    const name = Buffer.from('host.pyro.internal');
    const port = Buffer.from([echo.port >> 8, echo.port & 255]);
    const request = Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, 3, name.length]), name, port, Buffer.from('socks')]);
    const answer = await exchange(bench.proxyPort, request, true);
    expect(answer.subarray(0, 4)).toEqual(Buffer.from([5, 0, 5, 0]));
    expect(answer.subarray(12).toString()).toBe('socks');
  });

  it('forwards a plain request, without what was meant for the proxy', async () => {
    const answer = await exchange(
      bench.proxyPort,
      `GET http://host.pyro.internal:${web.port}/a?b HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: Basic eA==\r\nConnection: close\r\n\r\n`,
    );
    const text = answer.toString('latin1');
    expect(text).toContain('GET /a?b HTTP/1.1\r\n');
    expect(text).toContain(`Host: host.pyro.internal:${web.port}\r\n`);
    expect(text).not.toMatch(/other\.example|Proxy-Authorization/);
  });

  it('carries 16 MiB unchanged to a reader that is slow at first, without holding them', async () => {
    const sent = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => (index * 31) % 253));
    await using source = await openService((socket) => {
      for (let turn = 0; turn < 16; turn++) socket.write(sent);
      socket.end();
    });
    await using open = await openBench({ grant: makeGrant('egress', ['host.pyro.internal']) });
    const socket = connect(open.proxyPort, '127.0.0.1');
    socket.write(through(source.port));
    // The time itself is what is tried: meanwhile the source must wait.
    await sleep(300);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of socket) {
      if (!Buffer.isBuffer(chunk)) continue;
      hash.update(size === 0 ? chunk.subarray(39) : chunk);
      size += chunk.length;
    }
    const expected = createHash('sha256');
    for (let turn = 0; turn < 16; turn++) expected.update(sent);
    expect({ size: size - 39, hash: hash.digest('hex') }).toEqual({ size: 16 << 20, hash: expected.digest('hex') });
  });

  it('breaks the program off when the far end resets', async () => {
    await using rude = await openService((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await using open = await openBench({ grant: makeGrant('egress', ['host.pyro.internal']) });
    const socket = connect(open.proxyPort, '127.0.0.1');
    const failed = new Promise<string>((resolve) => {
      socket.once('error', (error) => resolve(error.message));
      socket.once('end', () => resolve('a quiet end'));
    });
    socket.write(`${through(rude.port)}x`);
    expect(await failed).toContain('ECONNRESET');
  });

  it('has the host let go when the program goes', async () => {
    const gone = Promise.withResolvers<string>();
    await using slow = await openService((socket) => {
      socket.on('close', () => gone.resolve('closed'));
      socket.resume();
    });
    await using open = await openBench({ grant: makeGrant('egress', ['host.pyro.internal']) });
    const socket = connect(open.proxyPort, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(through(slow.port));
    await new Promise((resolve) => socket.once('data', resolve));
    expect(open.egress.openConnections).toBe(1);
    socket.resetAndDestroy();
    expect(await Promise.race([gone.promise, sleep(5000)])).toBe('closed');
    await until(() => open.egress.openConnections === 0);
  });

  it('logs each with its bytes, rule and address', async () => {
    const before = bench.egress.mark;
    await exchange(bench.proxyPort, `${through(echo.port)}12345`, true);
    const attempts = async () => {
      await bench.log.flush();
      return (await readConnectionLog(bench.logPath, { after: before, limit: 10 })).attempts;
    };
    await until(async () => (await attempts()).length > 0);
    expect(await attempts()).toMatchObject([
      {
        name: 'host.pyro.internal',
        port: echo.port,
        address: '127.0.0.1',
        verdict: 'allowed',
        rule: `host.pyro.internal:${echo.port}`,
        bytes_in: 5,
        bytes_out: 5,
      },
    ]);
  });

  it('answers 403 with the reason, and says so in the log', async () => {
    const before = bench.egress.mark;
    const answer = (await exchange(bench.proxyPort, through(1))).toString('latin1');
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('host.pyro.internal:1 is not on the allow-list');
    expect(bench.egress.refusedSince(before)).toMatchObject([{ verdict: 'denied', port: 1, rule: 'allow-list' }]);
  });

  it('goes on after the host has begun anew', async () => {
    await using open = await openBench({ grant: makeGrant('egress', ['host.pyro.internal']) });
    const { socketPath, magic, log } = open;
    await open.egress[Symbol.asyncDispose]();
    await using _again = await Egress.open({
      socketPath,
      magic,
      log,
      grant: makeGrant('egress', ['host.pyro.internal']),
    });
    expect((await exchange(open.proxyPort, `${through(echo.port)}again`, true)).toString()).toMatch(/again$/);
  });

  it('opens a hundred connections at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        exchange(bench.proxyPort, `${through(echo.port)}n${index}`, true, 20_000),
      ),
    );
    expect(all.map((answer) => answer.toString('latin1').split('\r\n\r\n')[1])).toEqual(
      Array.from({ length: 100 }, (_, index) => `n${index}`),
    );
  });
});

describe('a published port', () => {
  const publish = async (guestPort: number) =>
    await PublishedPort.open({ guestPort, connect: async (port) => await connectToGuest(bench.client, port) });

  it('carries bytes both ways, and each direction ends by itself', async () => {
    await using published = await publish(echo.port);
    expect((await exchange(published.hostPort, 'hello', true)).toString()).toBe('hello');
  });

  it('lets a service end first and still hear what comes', async () => {
    const heard = Promise.withResolvers<string>();
    await using service = await openService((socket) => {
      socket.end('bye');
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('end', () => heard.resolve(text));
    });
    await using published = await publish(service.port);
    const socket = connect({ port: published.hostPort, host: '127.0.0.1', allowHalfOpen: true });
    const [first] = await new Promise<Buffer[]>((resolve) => socket.once('data', (chunk) => resolve([chunk])));
    expect(first?.toString()).toBe('bye');
    await new Promise((resolve) => socket.once('end', resolve));
    socket.end('late words');
    expect(await heard.promise).toBe('late words');
  });

  it('resets a client when nobody listens in the guest', async () => {
    await using published = await publish(1);
    const socket = connect(published.hostPort, '127.0.0.1');
    expect(await new Promise((resolve) => socket.once('error', (error) => resolve(error.message)))).toContain(
      'ECONNRESET',
    );
  });

  it('carries 8 MiB each way at once', async () => {
    await using published = await publish(echo.port);
    const sent = Buffer.alloc(8 << 20, 7);
    expect((await exchange(published.hostPort, sent, true, 20_000)).equals(sent)).toBe(true);
  });

  it('ends its connections when it is closed, and says when a port is taken', async () => {
    const published = await publish(echo.port);
    const again = PublishedPort.open({
      hostPort: published.hostPort,
      guestPort: 1,
      connect: () => Promise.reject(new Error()),
    });
    await expect(again).rejects.toMatchObject({ code: 'port_taken' });
    const socket = connect(published.hostPort, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('x');
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = new Promise((resolve) => socket.once('close', () => resolve('closed')));
    await published[Symbol.asyncDispose]();
    expect(await closed).toBe('closed');
    expect((await exchange(published.hostPort, 'x')).length).toBe(0);
  });
});
