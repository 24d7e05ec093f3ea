// The way out of a guest: as wide as was asked for and the server permits, for each guest that comes, and told where refused.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createInput, networkInput } from '../../../../src/contract/workspaces.ts';
import type { NetworkCeiling } from '../../../../src/shared/policy-types.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openService, type Service } from '../../../support/network.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { askProxy } from '../../../support/stand-in-proxy.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let service: Service;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  service = await openService((socket) => socket.end('hello'));
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});

const test = it.skipIf(obstacle !== undefined);

type Fields = Partial<ReturnType<typeof createInput.parse>>;

async function create(fields: Fields, network?: NetworkCeiling): Promise<string> {
  const request = createInput.parse({ ...createRequest, ...fields });
  return (await engine.workspaces().create(request, call({ network }))).workspace_id;
}

async function refusalOf(fields: Fields, network?: NetworkCeiling): Promise<unknown> {
  const before = await engine.workspaces().list({ limit: 500 });
  const error: unknown = await create(fields, network).catch((reason: unknown) => reason);
  expect((await engine.workspaces().list({ limit: 500 })).count).toBe(before.count);
  return error;
}

async function attempts(id: string, fields: Partial<ReturnType<typeof networkInput.parse>> = {}) {
  return await engine.workspaces().network({ ...networkInput.parse({ workspace_id: id }), ...fields }, call());
}

test('a guest has no way out unless it was asked for, and no variables that lead nowhere', async () => {
  const id = await create({});
  expect((await exec(engine, id, 'env | grep -i proxy')).stdout).toBe('');
  expect(await attempts(id)).toMatchObject({ network_policy: 'off', attempts: [], next_cursor: null });
});

test('what is named exactly is reached, all else of this machine is refused and told', async () => {
  const allow = [`127.0.0.1:${service.port}`];
  const id = await create({ network_policy: 'egress', allow });
  expect((await exec(engine, id, 'echo "$http_proxy"')).stdout).toMatch(/^http:\/\/127\.0\.0\.1:/);
  expect((await askProxy(engine, id, `127.0.0.1:${service.port}`)).head).toMatch(/ 200 /);
  expect(service.seen()).toBe(1);
  const { head, denied } = await askProxy(engine, id, '127.0.0.1:9');
  expect(head).not.toMatch(/ 200 /);
  expect(denied).toMatchObject([{ target: '127.0.0.1:9' }]);
  // What another command asked for later is none of this one's.
  expect((await exec(engine, id, 'true')).denied_connections).toEqual([]);
  const all = await attempts(id);
  expect(all.attempts.map(({ verdict, port }) => [verdict, port])).toEqual([
    ['allowed', service.port],
    ['denied', 9],
  ]);
  expect((await attempts(id, { denied: true })).attempts.map(({ port }) => port)).toEqual([9]);
  const first = await attempts(id, { limit: 1, cursor: 0 });
  expect(first.attempts).toHaveLength(1);
  expect(first.next_cursor).not.toBeNull();
  const rest = await attempts(id, { cursor: first.next_cursor ?? 0 });
  expect([...first.attempts, ...rest.attempts].map(({ port }) => port)).toEqual([service.port, 9]);
});

test('the way out stays with each guest that comes: another daemon, a reset, a stop', async () => {
  const target = `127.0.0.1:${service.port}`;
  const id = await create({ network_policy: 'egress', allow: [target] });
  const expectOpen = async (): Promise<void> => {
    expect((await askProxy(engine, id, target)).head).toMatch(/ 200 /);
    expect((await askProxy(engine, id, '127.0.0.1:9')).denied).toHaveLength(1);
  };
  await expectOpen();
  await engine.reopen();
  await expectOpen();
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  await expectOpen();
  await engine.workspaces().stop({ workspace_id: id }, call());
  await engine.workspaces().start({ workspace_id: id }, call());
  await expectOpen();
  // One log for all of them.
  expect((await attempts(id, { limit: 100 })).attempts).toHaveLength(8);
});

const ceiling: NetworkCeiling = { policy: 'egress', allow: ['127.0.0.1'], packageSources: 'none' };

test('a server permits no more than its ceiling, whatever a call allows', async () => {
  const target = `127.0.0.1:${service.port}`;
  // Who names no hosts gets those of the server.
  const usual = await create({ network_policy: 'egress' }, ceiling);
  expect((await askProxy(engine, usual, target)).head).toMatch(/ 200 /);
  // Both lists must agree.
  const narrow = await create({ network_policy: 'egress', allow: ['127.0.0.1:9', '192.0.2.1:80'] }, ceiling);
  expect((await askProxy(engine, narrow, target)).denied).toHaveLength(1);
  expect((await askProxy(engine, narrow, '192.0.2.1:80')).denied).toHaveLength(1);
});

test.each([
  [{ network_policy: 'egress' }, 'off', 'network_refused'],
  [{ network_policy: 'egress' }, 'published-ports', 'network_refused'],
  [{ network_policy: 'egress+published-ports' }, 'egress', 'network_refused'],
  [{ package_sources: 'host' }, 'egress', 'network_refused'],
  [{ network_policy: 'egress', allow: ['not a host!'] }, 'egress', 'usage'],
] as const)('a create that asks for %j of a server with %s makes nothing', async (fields, policy, code) => {
  const request = createInput.parse({ ...createRequest, ...fields });
  expect(await refusalOf(request, { ...ceiling, policy })).toMatchObject({ code });
});

test('settings of this machine for packages are handed over with the way to their hosts alone', async () => {
  const id = await create({ package_sources: 'host' }, { ...ceiling, packageSources: 'host+credentials' });
  expect(await attempts(id)).toMatchObject({ network_policy: 'egress' });
  expect((await exec(engine, id, 'echo "$http_proxy"')).stdout).toMatch(/^http:/);
  expect((await askProxy(engine, id, `127.0.0.1:${service.port}`)).denied).toHaveLength(1);
  await engine.reopen();
  expect((await askProxy(engine, id, `127.0.0.1:${service.port}`)).denied).toHaveLength(1);
});
