// A machine whose network has a proxy with a login: a guest's connections go through it as the policy says, and it never sees the login.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { type ForwardProxy, openForwardProxy } from '../support/forward-proxy.ts';
import { openService, type Service } from '../support/network.ts';
import { openSecureServer, type SecureServer } from '../support/secure-server.ts';

/** A name of the documentation's own, which no resolver knows */
const far = 'packages.example';
const password = 'proxy-secret-word';
let engine: TestEngine;
let proxy: ForwardProxy;
let web: Service;
let secure: SecureServer | undefined;
const cargoHome = mkdtempSync(join(tmpdir(), 'pyro-cargo-'));

beforeAll(async () => {
  secure = await openSecureServer(far);
  web = await openService((socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nover plain HTTP\n')),
  );
  const names = new Map([
    [`${far}:443`, secure?.port ?? 0],
    [`${far}:80`, web.port],
    ['not-granted.example:443', secure?.port ?? 0],
  ]);
  proxy = await openForwardProxy(names, `me:${password}`);
  const index = `[registries.a]\nindex = "sparse+https://${far}/"\n[registries.b]\nindex = "sparse+http://${far}/"\n`;
  writeFileSync(join(cargoHome, 'config.toml'), index);
  vi.stubEnv('CARGO_HOME', cargoHome);
  engine = await openTestEngine();
});
beforeEach(() => setProxy(password));
afterAll(async () => {
  vi.unstubAllEnvs();
  await engine[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
  await secure?.[Symbol.asyncDispose]();
  rmSync(cargoHome, { recursive: true, force: true });
});

function setProxy(word: string): void {
  for (const name of ['https_proxy', 'http_proxy']) {
    vi.stubEnv(name, `http://me:${word}@127.0.0.1:${proxy.port}`);
    vi.stubEnv(name.toUpperCase(), `http://me:${word}@127.0.0.1:${proxy.port}`);
  }
  for (const name of ['no_proxy', 'NO_PROXY']) vi.stubEnv(name, '');
}

async function createGuest(): Promise<string> {
  const request = { ...createRequest, package_sources: 'host' as const };
  return (await engine.workspaces().create(request, call())).workspace_id;
}

it('goes through it by name, judged before it is asked, and shows the guest nothing of it', async ({ skip }) => {
  if (secure === undefined) return skip('this machine has no openssl to make a certificate');
  const id = await createGuest();
  // TLS is the guest's own with the far end: the proxy carries it.
  expect(await exec(engine, id, `curl -sS -m 60 -k https://${far}/`)).toMatchObject({ stdout: 'over TLS\n' });
  expect(await exec(engine, id, `curl -sS -m 60 -k --noproxy '*' https://${far}/`)).toMatchObject({
    stdout: 'over TLS\n',
  });
  expect(await exec(engine, id, `curl -sS -m 60 http://${far}/`)).toMatchObject({ stdout: 'over plain HTTP\n' });
  expect(new Set(proxy.asked)).toContain(`CONNECT ${far}:443 HTTP/1.1`);
  expect(new Set(proxy.asked)).toContain(`CONNECT ${far}:80 HTTP/1.1`);

  const before = proxy.asked.length;
  const refusedBefore = proxy.refused.length;
  const others = [
    'https://not-granted.example/',
    `https://${far}:8443/`,
    `https://127.0.0.1:${secure.port}/`,
    `https://host.pyro.internal:${secure.port}/`,
    `http://host.pyro.internal:${proxy.port}/`,
    'https://10.0.0.1/',
  ];
  for (const url of others) {
    const result = await exec(engine, id, `curl -sSf -m 60 -k --noproxy '' ${url}`);
    expect(result).toMatchObject({ stdout: expect.not.stringContaining('over'), denied_connections: [{}] });
    expect(result.exit_code).not.toBe(0);
  }
  // A tunnel in the tunnel: what the proxy would open for the host, it does not open for the guest.
  const nested = await exec(
    engine,
    id,
    `curl -sS -m 60 -k --preproxy socks5h://127.0.0.1:3128 -x http://host.pyro.internal:${proxy.port} https://not-granted.example/ 2>&1`,
  );
  expect(nested.stdout).not.toContain('over TLS');
  expect(nested.denied_connections).toMatchObject([{ target: `host.pyro.internal:${proxy.port}` }]);
  expect(proxy.asked).toHaveLength(before);
  expect(proxy.refused).toHaveLength(refusedBefore);

  const basic = Buffer.from(`me:${password}`).toString('base64');
  const dump = `{ env; cat /proc/[0-9]*/environ; cat /run/pyro-packages/* /.cargo/* /etc/resolv.conf; curl -sv -k https://${far}/ 2>&1; } | tr '\\0' '\\n'`;
  const shown = await exec(engine, id, `${dump} > /tmp/dump; grep -c :3128 /tmp/dump`);
  expect(Number(shown.stdout)).toBeGreaterThan(5);
  const told = await exec(engine, id, `grep -ciE '${password}|${basic}|:${proxy.port}' /tmp/dump`);
  expect(told.stdout).toBe('0\n');
  const log = await engine.workspaces().network({ workspace_id: id, denied: false, limit: 1000 }, call());
  expect(log.attempts.find(({ name, verdict }) => name === far && verdict === 'allowed')).toMatchObject({
    port: 443,
    rule: `${far}:443, by proxy`,
  });
  expect(JSON.stringify(log)).not.toContain(password);
  await engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
});

it('tells when the proxy refuses the login, without it, and opens nothing past the proxy', async () => {
  setProxy('wrong-secret-word');
  const id = await createGuest();
  const before = proxy.asked.length;
  const result = await exec(engine, id, `curl -sS -m 60 -k https://${far}/ 2>&1`);
  expect(result.exit_code).not.toBe(0);
  expect(result.denied_connections).toMatchObject([
    { target: `${far}:443`, reason: expect.stringContaining('407 Proxy Authentication Required') },
  ]);
  expect(JSON.stringify(result)).not.toContain('wrong-secret-word');
  expect(proxy.asked).toHaveLength(before);
  await engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
});

it('is not asked for what a list alone grants: such a connection goes straight', async () => {
  const before = proxy.asked.length + proxy.refused.length;
  const request = {
    ...createRequest,
    network_policy: 'egress' as const,
    allow: [`${far}:443`, `host.pyro.internal:${web.port}`],
  };
  const id = (await engine.workspaces().create(request, call())).workspace_id;
  expect(await exec(engine, id, `curl -sS -m 60 http://host.pyro.internal:${web.port}/`)).toMatchObject({
    stdout: 'over plain HTTP\n',
  });
  expect((await exec(engine, id, `curl -sS -m 60 -k https://${far}/`)).denied_connections).toMatchObject([
    { target: `${far}:443`, rule: 'resolver' },
  ]);
  expect(proxy.asked.length + proxy.refused.length).toBe(before);
});
