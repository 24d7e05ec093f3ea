// A workspace's way out: only what its policy grants, over resets and another daemon, with every refusal told.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { crashGuest } from '../support/crash.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';

let engine: TestEngine;
let server: Server;
let port = 0;
let id = '';

beforeAll(async () => {
  engine = await openTestEngine();
  server = createServer((request, response) => response.end(`hello from the host ${request.url}\n`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = (address satisfies AddressInfo).port;
  const allow = [`host.pyro.internal:${port}`];
  const request = { ...createRequest, network_policy: 'egress+published-ports', allow } as const;
  id = (await engine.workspaces().create(request, call())).workspace_id;
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  server.close();
});

const url = (): string => `http://host.pyro.internal:${port}/x`;

async function reaches(): Promise<void> {
  const byProxy = await exec(engine, id, `curl -sS -m 20 ${url()}`);
  expect(byProxy).toMatchObject({ stdout: 'hello from the host /x\n', denied_connections: [] });
  const caught = await exec(engine, id, `curl -sS -m 20 --noproxy '*' ${url()}`);
  expect(caught.stdout).toBe('hello from the host /x\n');
}

it('reaches what it was granted, by the proxy and around it, and nothing else', async () => {
  await reaches();
  const refused = await exec(
    engine,
    id,
    `curl -sS -m 20 http://127.0.0.1.nip.invalid:${port}/; curl -sS -m 20 --noproxy '*' http://10.0.0.1/`,
  );
  expect(refused.stdout).not.toContain('hello');
  expect(refused.denied_connections.map(({ target }) => target)).toContain('10.0.0.1:80');
  const log = await engine.workspaces().network({ workspace_id: id, denied: true, limit: 10 }, call());
  expect(log.attempts.some(({ address, verdict }) => verdict === 'denied' && address === null)).toBe(true);
  const summary = await engine.workspaces().summary({ workspace_id: id, format: 'json' }, call());
  expect(summary.denied_connections.find(({ target }) => target === '10.0.0.1:80')).toMatchObject({ count: 1 });
  expect(summary.markdown).toMatch(/### Network: \d+ connections? refused\n\n[\s\S]*- `10\.0\.0\.1:80`: /);
});

it('publishes a port beside its way out, and has both again after a stop', async () => {
  // The service asks the host itself, as a program without a proxy, before it answers.
  const serve = String.raw`perl -MIO::Socket -e '
    $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => 8080, ReuseAddr => 1) or die;
    while ($c = $s->accept) {
      while (($l = <$c>) =~ /\S/) {}
      $o = IO::Socket::INET->new("host.pyro.internal:${port}") or die;
      print $o "GET /from-service HTTP/1.0\r\n\r\n";
      $b = join "", <$o>; $b =~ s/.*\r\n\r\n//s;
      print $c "HTTP/1.0 200 OK\r\n\r\nservice: $b"; close $c
    }'`;
  const started = await engine.workspaces().services.start(
    {
      workspace_id: id,
      service_name: 'web',
      command: serve,
      env: {},
      secret_env: {},
      ready_tcp: '8080',
      ready_timeout_seconds: 60,
      ready_interval_ms: 200,
      restart_policy: 'always',
      published_ports: [{ guest_port: 8080 }],
      wait_seconds: 60,
    },
    call(),
  );
  const before = started.published_ports[0]?.host_port ?? 0;
  const ask = async (published: number): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${published}/`)).text();
  expect(await ask(before)).toBe('service: hello from the host /from-service\n');
  await engine.workspaces().stop({ workspace_id: id }, call());
  await expect(ask(before)).rejects.toThrow();
  await engine.workspaces().start({ workspace_id: id }, call());
  // None was named, so another start may get another one.
  const again = await engine.workspaces().services.status({ workspace_id: id, service_name: 'web' }, call());
  const answer = await until(() => ask(again.published_ports[0]?.host_port ?? 0));
  expect(answer).toBe('service: hello from the host /from-service\n');
  await reaches();
  const refused = await exec(engine, id, "curl -sS -m 20 --noproxy '*' http://10.0.0.1/");
  expect(refused.denied_connections.map(({ target }) => target)).toEqual(['10.0.0.1:80']);
});

it('keeps its policy over a reset, another daemon and a crash of the guest', async () => {
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  await reaches();
  await engine.reopen();
  await reaches();
  await crashGuest(engine, engine.engine().activity().guests[0]?.pid);
  await reaches();
});

it('has none at all without a grant', async () => {
  const { workspace_id: other } = await engine.workspaces().create(createRequest, call());
  const result = await exec(
    engine,
    other,
    `curl -sS -m 20 ${url()}; curl -sS -m 20 http://127.0.0.1:3128/; getent hosts example.org`,
  );
  expect(result.stdout).toBe('');
  expect(result.exit_code).not.toBe(0);
  expect(result.network_note).toContain('this guest has no network (network_policy off)');
  expect((await exec(engine, other, 'exit 3')).network_note).toBeNull();
  await engine.workspaces().delete({ workspace_id: other, force: true, dry_run: false }, call());
});

/** What the work gives once it succeeds; its last failure after a while. */
async function until(work: () => Promise<string>): Promise<string> {
  for (let turn = 0; ; turn++) {
    try {
      return await work();
    } catch (error) {
      if (turn === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

it('is never more than the server permits', async () => {
  const network = { policy: 'off', allow: [], packageSources: 'none' } as const;
  const request = { ...createRequest, network_policy: 'egress' } as const;
  await expect(engine.workspaces().create(request, call({ network }))).rejects.toMatchObject({
    code: 'network_refused',
  });
});
