// The network of a real guest: what is granted works for programs with and without a proxy, and nothing else does.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
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

/** What the work gives once it gives something, within 10 s. */
async function until<T>(work: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let turn = 0; turn < 100; turn++) {
    const found = await work();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return await work();
}

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
  const grant = async (): Promise<void> => {
    const host = 'host.pyro.internal';
    await guest.grant(makeGrant('egress', [`${host}:${echo.port}`, `${host}:${gitPort}`]));
  };
  beforeAll(grant);
  afterAll(async () => await guest.revoke());

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

  it('has every packet that is no connection in the log, with where it was to go', async () => {
    const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.at(-1)?.sequence ?? 0;
    const raw = (family: string, protocol: number, to: string, packet: string): string =>
      `socket(S,${family},SOCK_RAW,${protocol}) or die $!; send(S,${packet},0,${to}) or print "not sent: $!\n";`;
    const four = (address: string): string => `sockaddr_in(0,inet_aton("${address}"))`;
    const six = (address: string): string => `sockaddr_in6(0,inet_pton(AF_INET6,"${address}"))`;
    const datagram = (family: string, to: string): string =>
      `socket(S,${family},SOCK_DGRAM,0) or die $!; send(S,"x",0,${to}) or print "not sent: $!\n"; sleep 1;`;
    const lines = [
      datagram('PF_INET', 'sockaddr_in(443,inet_aton("1.2.3.1"))'),
      datagram('PF_INET6', 'sockaddr_in6(53,inet_pton(AF_INET6,"2001:db8::2"))'),
      raw('PF_INET', 1, four('1.2.3.3'), 'pack("CCnnn",8,0,0xf7ff,0,0)'),
      raw('PF_INET6', 58, six('2001:db8::4'), 'pack("CCnnn",128,0,0,0,0)'),
      raw('PF_INET', 1, four('1.2.3.5'), 'pack("CCnnnNNN",13,0,0,0,0,0,0,0)'),
      raw('PF_INET', 47, four('1.2.3.6'), '"x"x8'),
      raw('PF_INET', 6, four('1.2.3.7'), 'pack("nnNNnnnn",1,80,0,0,0x5002,64,0,0)'),
      raw('PF_INET', 17, four('1.2.3.8'), 'pack("nnnn",1,99,8,0)'),
      // Past the routes, by the interface that none of them leads to.
      `socket(S,PF_INET,SOCK_RAW,47) or die; setsockopt(S,SOL_SOCKET,25,pack("Z16","net0")) or die $!; send(S,"x",0,${four('1.2.3.9')}) or print "not sent: $!\n";`,
    ];
    for (const line of lines) {
      const { text, exitCode } = await guest.run(`perl -MSocket=:all -e '${line}'`);
      expect({ line, text, exitCode }).toEqual({ line, text: '', exitCode: 0 });
    }
    const seen = await until(async () => {
      const { attempts } = await readConnectionLog(guest.logPath, { after: before, limit: 1000 });
      return attempts.length >= lines.length ? attempts : undefined;
    });
    expect(seen?.map(({ name, port, verdict, reason }) => [name, port, verdict, reason])).toEqual([
      ['1.2.3.1', 443, 'denied', 'no datagram may leave a guest'],
      ['2001:db8::2', 53, 'denied', 'no datagram may leave a guest'],
      ['1.2.3.3', null, 'denied', 'no ping may leave a guest'],
      ['2001:db8::4', null, 'denied', 'no ping may leave a guest'],
      ['1.2.3.5 protocol 1', null, 'denied', 'no raw packet may leave a guest'],
      ['1.2.3.6 protocol 47', null, 'denied', 'no raw packet may leave a guest'],
      ['1.2.3.7', 80, 'denied', 'no raw packet may leave a guest'],
      ['1.2.3.8', 99, 'denied', 'no datagram may leave a guest'],
      ['1.2.3.9 protocol 47', null, 'denied', 'no raw packet may leave a guest'],
    ]);
    // Whose a datagram is can be told while its program lives.
    expect(seen?.[0]?.process).toMatch(/^p\d+$/);
  });

  it('has every question that its name service refuses in the log', async () => {
    const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.at(-1)?.sequence ?? 0;
    const head = String.raw`\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00`;
    const chaos = String.raw`${head}\x07version\x04bind\x00\x00\x10\x00\x03`;
    const blank = String.raw`${head}\x03a b\x07example\x00\x00\x01\x00\x01`;
    const update = String.raw`\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x00\x00\x06\x00\x01`;
    const empty = String.raw`\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00`;
    for (const query of [chaos, blank, update, empty, 'nonsense']) {
      for (const protocol of ['udp', 'tcp']) {
        const sent = protocol === 'udp' ? `"${query}"` : `pack("n/a","${query}")`;
        const line = `$s = IO::Socket::INET->new(Proto => "${protocol}", PeerAddr => "8.8.8.8:53") or die; syswrite $s, ${sent}; alarm 3; sysread $s, $b, 512; print length $b > 0 ? "answered" : "closed"`;
        await guest.run(`perl -MIO::Socket -e '${line}'`);
      }
    }
    await guest.run(`perl -MIO::Socket -e '$s = IO::Socket::INET->new("8.8.8.8:53"); syswrite $s, "x"; close $s'`);
    const seen = await until(async () => {
      const { attempts } = await readConnectionLog(guest.logPath, { after: before, limit: 1000 });
      return attempts.length >= 11 ? attempts : undefined;
    });
    expect(seen?.map(({ name }) => name)).toEqual([
      ...['version.bind.', 'version.bind.', 'a b.example.', 'a b.example.', 'operation 5', 'operation 5'],
      ...['a query without a question', 'a query without a question'],
      ...['a message that is not a query', 'a message that is not a query', 'a message that is cut off'],
    ]);
    for (const { verdict, rule } of seen ?? []) expect([verdict, rule]).toEqual(['denied', "guest's names"]);
  });

  it('has each misuse of its proxy in the log, and an address that stands for no name', async () => {
    const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.at(-1)?.sequence ?? 0;
    const requests = [
      String.raw`GET / HTTP/1.1\r\nHost: a\r\n\r\n`,
      String.raw`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
      String.raw`GET ftp://10.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n`,
      String.raw`\x16\x03\x01\x02\x00\r\n\r\n`,
      String.raw`\x05\x01\x00\x05\x02\x00\x01\x0a\x00\x00\x01\x00\x50`,
      String.raw`\x04\x01\x00\x50\x0a\x00\x00\x01\x00\r\n\r\n`,
    ];
    for (const request of requests)
      await guest.run(`exec 3<>/dev/tcp/127.0.0.1/3128 && printf '${request}' >&3 && timeout 5 head -c 30 <&3`);
    await guest.run(hello('198.19.77.7', 80));
    const seen = await until(async () => {
      const { attempts } = await readConnectionLog(guest.logPath, { after: before, limit: 1000 });
      return attempts.length >= 7 ? attempts : undefined;
    });
    expect(seen?.map(({ name }) => name)).toEqual([
      ...['GET /', 'PRI *', 'GET ftp://10.0.0.1', 'TLS', 'SOCKS5 command 2 to 10.0.0.1:80', 'SOCKS4', '198.19.77.7'],
    ]);
    for (const { verdict, process } of seen ?? []) {
      expect(verdict).toBe('denied');
      expect(process).toMatch(/^p\d+$/);
    }
  });

  it('answers and serves through a flood of datagrams, and all of them are told or counted', async () => {
    const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.at(-1)?.sequence ?? 0;
    const flood = guest.run(
      `perl -MSocket -e 'socket(S,PF_INET,SOCK_DGRAM,0); for (1..20000) { send(S,"x",0,sockaddr_in(9,inet_aton("9.9.9.9"))) and $n++ } print $n'`,
      { timeoutMs: 120_000 },
    );
    expect((await guest.run(hello('host.pyro.internal', echo.port))).text).toBe('hello\n');
    const sent = Number((await flood).text);
    expect(sent).toBeGreaterThan(1000);
    const counted = await until(async () => {
      const { attempts } = await readConnectionLog(guest.logPath, {
        after: before,
        limit: 10_000,
        isRefusedOnly: true,
      });
      const count = attempts.reduce(
        (all, { rule, name }) => all + (rule === 'limit' ? Number.parseInt(name, 10) : 1),
        0,
      );
      return count >= sent ? count : undefined;
    });
    expect(counted).toBe(sent);
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
    for (let turn = 0; turn < 200 && answer === ''; turn++) {
      answer = (await exchange(published.hostPort, 'words\n', true)).toString();
      if (answer === '') await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(answer).toBe('got words\n');
    await running;
  });

  it('has no network again after it is revoked', async () => {
    onTestFinished(grant);
    await guest.revoke();
    expect((await guest.run(hello('host.pyro.internal', echo.port))).exitCode).not.toBe(0);
    expect((await guest.run(hello('93.184.216.34', 80))).text).toContain('Network is unreachable');
  });
});
