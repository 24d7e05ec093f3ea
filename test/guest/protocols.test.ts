// What programs speak over a granted connection: TLS, a stream that rests, halves that end apart, a server that speaks first.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConnectionLog } from '../../src/network/connection-log.ts';
import { makeGrant } from '../../src/network/policy.ts';
import { openService, type Service } from '../support/network.ts';
import { type NetworkGuest, openNetworkGuest } from '../support/network-guest.ts';
import { openSecureServer, type SecureServer } from '../support/secure-server.ts';

const host = 'host.pyro.internal';
const heard = { late: Promise.withResolvers<string>(), banner: Promise.withResolvers<string>() };
let guest: NetworkGuest;
let resting: Service;
let early: Service;
let banner: Service;
let secure: SecureServer | undefined;
let securePort = 0;

beforeAll(async () => {
  guest = await openNetworkGuest();
  // Echoes lines; once the client has ended its side it still has something to say, after a time that would end a careless relay.
  resting = await openService((socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('end', () => setTimeout(() => socket.end('after your end\n'), 500));
  });
  // Ends its own side first and goes on listening.
  early = await openService((socket) => {
    let text = '';
    socket.end('bye\n');
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => heard.late.resolve(text));
  });
  banner = await openService((socket) => {
    socket.write('SSH-2.0-test\r\n');
    socket.once('data', (chunk) => {
      heard.banner.resolve(chunk.toString('latin1'));
      socket.end();
    });
  });
  secure = await openSecureServer(host);
  securePort = secure?.port ?? 0;
  const ports = [resting.port, early.port, banner.port, ...(securePort === 0 ? [] : [securePort])];
  await guest.grant(
    makeGrant(
      'egress',
      ports.map((port) => `${host}:${port}`),
    ),
  );
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  for (const service of [resting, early, banner]) await service[Symbol.asyncDispose]();
  await secure?.[Symbol.asyncDispose]();
});

describe('a granted connection', () => {
  it.for([true, false])('carries TLS end to end, with proxy variables: %s', async (hasProxy, { skip }) => {
    if (securePort === 0) skip('this machine has no openssl to make a certificate');
    const url = `https://${host}:${securePort}/`;
    expect((await guest.run(`curl -sS -m 60 -k ${url}`, { hasProxy })).text).toBe('over TLS\n');
    // The certificate is the server's own: nothing on the way has opened the stream.
    const refused = await guest.run(`curl -sS -m 60 ${url}`, { hasProxy });
    expect(refused.text).toMatch(/self-signed certificate|SSL certificate problem/);
  });

  it.for([true, false])('carries HTTP/2, with proxy variables: %s', async (hasProxy, { skip }) => {
    if (securePort === 0) skip('this machine has no openssl to make a certificate');
    const line = `curl -sS -m 60 -k --http2 -w '%{http_version}' https://${host}:${securePort}/`;
    expect((await guest.run(line, { hasProxy })).text).toBe('over TLS\n2');
  });

  it.for([true, false])('carries Git over HTTPS, with proxy variables: %s', async (hasProxy, { skip }) => {
    if (secure === undefined) return skip('this machine has no openssl to make a certificate');
    const clone = `git -c http.sslVerify=false clone -q https://${host}:${securePort}/repository.git /tmp/clone-${hasProxy}`;
    const { text } = await guest.run(`${clone} && git -C /tmp/clone-${hasProxy} rev-parse HEAD`, { hasProxy });
    expect(text.trim()).toBe(secure.commit);
  });

  it('carries a WebSocket: both sides speak after the upgrade', async ({ skip }) => {
    if (securePort === 0) skip('this machine has no openssl to make a certificate');
    const request = `GET /socket HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n`;
    // Two masked text frames, a second apart, and what comes back of them.
    const frame = String.raw`\201\202\000\000\000\000hi`;
    const { text } = await guest.run(
      `{ printf '${request}'; sleep 1; printf '${frame}'; sleep 1; printf '${frame}'; sleep 3; } | timeout 12 openssl s_client -quiet -connect ${host}:${securePort} 2>/dev/null | tr -d '\\r' | od -An -c | tr -d ' \\n'`,
    );
    expect(text).toContain('101SwitchingProtocols');
    expect(text).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(text).toMatch(/201002hi201002hi$/);
  });

  it('may rest for 15 s, and each side ends by itself', async () => {
    const { text } = await guest.run(
      `perl -MIO::Socket -e '$s = IO::Socket::INET->new("${host}:${resting.port}") or die; $s->autoflush; print $s "one\\n"; print scalar <$s>; sleep 15; print $s "two\\n"; print scalar <$s>; shutdown $s, 1; print <$s>'`,
    );
    expect(text).toBe('one\ntwo\nafter your end\n');
  });

  it('takes what comes after the far end has ended', async () => {
    const { text } = await guest.run(
      `perl -MIO::Socket -e '$s = IO::Socket::INET->new("${host}:${early.port}") or die; print <$s>; sleep 1; print $s "late words"; close $s'`,
    );
    expect(text).toBe('bye\n');
    expect(await Promise.race([heard.late.promise, sleep(10_000)])).toBe('late words');
  });

  it('lets a server speak first, as that of ssh does', async ({ skip }) => {
    if ((await guest.run('command -v ssh')).exitCode !== 0) skip('the environment has no ssh');
    await guest.run(`ssh -o StrictHostKeyChecking=no -o ConnectTimeout=30 -p ${banner.port} ${host} true`);
    expect(await Promise.race([heard.banner.promise, sleep(10_000)])).toMatch(/^SSH-2\.0-OpenSSH/);
  });
});

describe('what is not granted', () => {
  it('does not open by DNS over TCP: the guest answers itself, and nobody outside is asked', async () => {
    const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.at(-1)?.sequence ?? 0;
    // A query for secret.example, its length before it, sent to a public resolver.
    const query = String.raw`\x00\x20\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06secret\x07example\x00\x00\x01\x00\x01`;
    const { text } = await guest.run(
      `perl -MIO::Socket -e '$s = IO::Socket::INET->new("8.8.8.8:53") or die; syswrite $s, "${query}"; sysread $s, $b, 512; print unpack("H*", substr $b, -4)'`,
    );
    // An address of 198.18.0.0/15, which stands for the name in this guest alone.
    expect(text).toMatch(/^c61[23]/);
    expect((await readConnectionLog(guest.logPath, { after: before, limit: 1000 })).attempts).toEqual([]);
  });

  it('does not open to raw sockets, to a flood or to an interface of its own', async () => {
    const raw = `perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 6) or die; print defined send(S, pack("nnNNnnnn", 1, 80, 0, 0, 0x5002, 64, 0, 0), 0, sockaddr_in(0, inet_aton("1.1.1.1"))) ? "sent" : "not sent"'`;
    const before = (await readConnectionLog(guest.logPath, { limit: 10_000 })).attempts.length;
    await guest.run(raw);
    const own = await guest.run('ip link add d0 type dummy 2>&1 || echo no link; ls /sys/class/net');
    expect(own.text).not.toMatch(/eth|ens/);
    const flood = `perl -MIO::Socket -e 'for (1..80) { push @s, IO::Socket::INET->new(PeerAddr => "10.9.9.9", PeerPort => 1000 + $_, Blocking => 0) } sleep 3; print scalar @s'`;
    expect((await guest.run(flood)).text).toBe('80');
    const { attempts } = await readConnectionLog(guest.logPath, { limit: 10_000 });
    const flooding = attempts.slice(before).filter(({ name }) => name === '10.9.9.9');
    expect(flooding.length).toBe(80);
    expect(flooding.every(({ verdict }) => verdict === 'denied')).toBe(true);
    const made = attempts.filter(({ name }) => name === '1.1.1.1');
    expect(made).toMatchObject([{ port: 80, verdict: 'denied', reason: 'no raw packet may leave a guest' }]);
    // It serves as before.
    expect(
      (await guest.run(`perl -MIO::Socket -e '$s = IO::Socket::INET->new("${host}:${early.port}") or die; print <$s>'`))
        .text,
    ).toBe('bye\n');
  });
});
