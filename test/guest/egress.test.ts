// A workspace's way out: only what its policy grants, over resets and another daemon, with every refusal told.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, createRequest, exec, openHouse, type TestHouse } from '../support/engine.ts';

let house: TestHouse;
let server: Server;
let port = 0;
let id = '';

beforeAll(async () => {
  house = await openHouse();
  server = createServer((request, response) => response.end(`hello from the host ${request.url}\n`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = (address satisfies AddressInfo).port;
  const request = { ...createRequest, networkPolicy: 'egress', allow: [`host.pyro.internal:${port}`] } as const;
  id = (await house.workspaces().create(request, call())).workspace_id;
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  server.close();
});

const url = (): string => `http://host.pyro.internal:${port}/x`;

async function reaches(): Promise<void> {
  const byProxy = await exec(house, id, `curl -sS -m 20 ${url()}`);
  expect(byProxy).toMatchObject({ stdout: 'hello from the host /x\n', denied_connections: [] });
  const caught = await exec(house, id, `curl -sS -m 20 --noproxy '*' ${url()}`);
  expect(caught.stdout).toBe('hello from the host /x\n');
}

it('reaches what it was granted, by the proxy and around it, and nothing else', async () => {
  await reaches();
  const refused = await exec(
    house,
    id,
    `curl -sS -m 20 http://127.0.0.1.nip.invalid:${port}/; curl -sS -m 20 --noproxy '*' http://10.0.0.1/`,
  );
  expect(refused.stdout).not.toContain('hello');
  expect(refused.denied_connections.map(({ target }) => target)).toContain('10.0.0.1:80');
  const log = await house.workspaces().network(id, { isRefusedOnly: true, limit: 10, cursor: undefined });
  expect(log.attempts.some(({ address, verdict }) => verdict === 'denied' && address === null)).toBe(true);
});

it('keeps its policy over a reset, another daemon and a crash of the guest', async () => {
  await house.workspaces().reset(id, 'baseline', call());
  await reaches();
  await house.reopen();
  await reaches();
  process.kill(house.engine().activity().guests[0]?.pid ?? 0, 'SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 500));
  await reaches();
});

it('has none at all without a grant', async () => {
  const { workspace_id: other } = await house.workspaces().create(createRequest, call());
  const result = await exec(
    house,
    other,
    `curl -sS -m 20 ${url()}; curl -sS -m 20 http://127.0.0.1:3128/; getent hosts example.org`,
  );
  expect(result.stdout).toBe('');
  expect(result.exit_code).not.toBe(0);
  await house.workspaces().delete(other, call());
});

it('is never more than the server permits', async () => {
  const network = { policy: 'off', allow: [] } as const;
  const request = { ...createRequest, networkPolicy: 'egress' } as const;
  await expect(house.workspaces().create(request, call({ network }))).rejects.toMatchObject({
    code: 'network_refused',
  });
});
