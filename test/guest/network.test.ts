// The network of a real guest: what is granted works for programs with and without a proxy, and nothing else does.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToGuest } from '../../src/agent/guest-network.ts';
import { readConnectionLog } from '../../src/network/connection-log.ts';
import { makeGrant } from '../../src/network/policy.ts';
import { PublishedPort } from '../../src/network/publish.ts';
import { exchange, openService, type Service } from '../support/network.ts';
import { type NetworkGuest, openNetworkGuest } from '../support/network-guest.ts';

let guest: NetworkGuest;
let echo: Service;
let git: Server;
let gitPort = 0;
const folder = mkdtempSync(join(tmpdir(), 'pyro-git-'));

beforeAll(async () => {
  guest = await openNetworkGuest();
  echo = await openService((socket) => socket.pipe(socket));
  const repository = join(folder, 'r.git');
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false'];
  execFileSync('git', ['init', '-q', repository]);
  writeFileSync(join(repository, 'file'), 'content\n');
  execFileSync('git', ['-C', repository, 'add', 'file']);
  execFileSync('git', ['-C', repository, ...author, 'commit', '-qm', 'one']);
  git = createServer((request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const child = spawn('git', ['http-backend'], {
      env: {
        ...process.env,
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        REMOTE_ADDR: '127.0.0.1',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdout.on('end', () => {
      const all = Buffer.concat(chunks);
      const at = all.indexOf('\r\n\r\n');
      for (const line of all.subarray(0, at).toString().split('\r\n')) {
        const [name = '', value = ''] = line.split(': ');
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(all.subarray(at + 4));
    });
  });
  await new Promise<void>((resolve) => git.listen(0, '127.0.0.1', resolve));
  const address = git.address();
  gitPort = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
  git.closeAllConnections();
  await new Promise((resolve) => git.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const hello = (host: string, port: number) => `exec 3<>/dev/tcp/${host}/${port} && echo hello >&3 && head -1 <&3`;

describe('a guest without a network', () => {
  it('is told so at once, and has no interface but loopback', async () => {
    const { text, exitCode, ms } = await guest.run(`ls /sys/class/net; ${hello('93.184.216.34', 80)}`);
    expect(text).toMatch(/^lo\n/);
    expect(text).toContain('Network is unreachable');
    expect(exitCode).not.toBe(0);
    expect(ms).toBeLessThan(10_000);
    expect((await guest.run('getent hosts example.com')).exitCode).toBe(2);
  });
});

describe('a guest with egress to two services of its host', () => {
  beforeAll(async () => {
    const host = 'host.pyro.internal';
    await guest.grant(makeGrant('egress', [`${host}:${echo.port}`, `${host}:${gitPort}`]));
  });

  it.each([true, false])('clones a repository, with proxy variables: %s', async (hasProxy) => {
    const { text, exitCode } = await guest.run(
      `cd /tmp && rm -rf r && git clone -q http://host.pyro.internal:${gitPort}/r.git r && cat r/file`,
      { hasProxy },
    );
    expect({ text, exitCode }).toEqual({ text: 'content\n', exitCode: 0 });
  });

  it('carries plain TCP of programs that know no proxy', async () => {
    expect((await guest.run(hello('host.pyro.internal', echo.port))).text).toBe('hello\n');
  });

  it('reaches nothing else, and each attempt is logged with the process that made it', async () => {
    const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.at(-1)?.sequence ?? 0;
    const targets: [string, number][] = [
      ['93.184.216.34', 80],
      ['10.0.0.1', 80],
      ['169.254.169.254', 80],
      ['2606:4700::1111', 80],
      ['example.com', 443],
      ['host.pyro.internal', 1],
    ];
    for (const [host, port] of targets) {
      const { text, exitCode } = await guest.run(hello(host, port));
      expect(text).toMatch(/reset by peer/);
      expect(exitCode).not.toBe(0);
    }
    const { attempts } = await readConnectionLog(guest.logPath, { after: before, limit: 1000 });
    expect(attempts.map(({ name, port, verdict }) => [name, port, verdict])).toEqual(
      targets.map(([host, port]) => [host, port, 'denied']),
    );
    for (const { process } of attempts) expect(process).toMatch(/^p\d+$/);
  });

  it('sends no datagram and no ping', async () => {
    expect((await guest.run('exec 3<>/dev/udp/1.2.3.4/99 && echo x >&3 && head -1 <&3')).text).toContain('refused');
    const ping = `perl -MSocket -e 'socket(S,PF_INET,SOCK_RAW,1) or die; send(S,pack("CCnnn",8,0,0xf7ff,0,0),0,sockaddr_in(0,inet_aton("1.1.1.1"))) or die $!; alarm 3; recv(S,$b,99,0); my $t=unpack("x20C",$b); recv(S,$b,99,0) if $t==8; print "answered ".unpack("x20C",$b)'`;
    expect((await guest.run(ping)).text).not.toContain('answered 0');
  });

  it('leaves the loopback of the guest to the guest', async () => {
    const { text } = await guest.run(
      `perl -MIO::Socket -e '$s=IO::Socket::INET->new(Listen=>1,LocalAddr=>"0.0.0.0",LocalPort=>8765) or die; if(fork){$c=$s->accept;print $c "own\\n"}else{sleep 1;exec "bash","-c","exec 3<>/dev/tcp/127.0.0.1/8765; head -1 <&3"}; wait'`,
    );
    expect(text).toContain('own');
  });

  it('publishes a port', async () => {
    const serve = `perl -MIO::Socket -e '$s=IO::Socket::INET->new(Listen=>5,LocalAddr=>"127.0.0.1",LocalPort=>8080) or die; $c=$s->accept; $l=<$c>; print $c "got $l"'`;
    const running = guest.run(serve);
    await using published = await PublishedPort.open({
      guestPort: 8080,
      connect: async (port) => await connectToGuest(guest.client, port),
    });
    let answer = '';
    for (let turn = 0; turn < 20 && answer === ''; turn++) {
      answer = (await exchange(published.hostPort, 'words\n', true)).toString();
      if (answer === '') await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(answer).toBe('got words\n');
    await running;
  });

  it('has no network again after it is revoked', async () => {
    await guest.revoke();
    expect((await guest.run(hello('host.pyro.internal', echo.port))).exitCode).not.toBe(0);
    expect((await guest.run(hello('93.184.216.34', 80))).text).toContain('Network is unreachable');
  });
});
