// Shells and services as calls have them: begun, used, looked at after they ended, within what the server permits.
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { serviceLogsInput, serviceStartInput } from '../../../../src/contract/services.ts';
import { shellOpenInput, shellReadInput, shellSignalInput, shellWriteInput } from '../../../../src/contract/shells.ts';
import { createInput } from '../../../../src/contract/workspaces.ts';
import type { NetworkCeiling } from '../../../../src/shared/policy-types.ts';
import { cancelEverywhere } from '../../../support/cancelling.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let id = '';

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
beforeEach(async () => {
  if (obstacle === undefined) id = (await engine.workspaces().create(createRequest, call())).workspace_id;
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);
const ended = z.object({ state: z.literal('stopped') });

async function start(fields: Omit<z.input<typeof serviceStartInput>, 'workspace_id'>, network?: NetworkCeiling) {
  return await engine
    .workspaces()
    .services.start(serviceStartInput.parse({ workspace_id: id, ...fields }), call({ network }));
}

test('a shell is typed into, read, resized, signalled, listed, and closed with its output', async () => {
  const { shells } = engine.workspaces();
  const {
    shell_id: shell,
    cwd,
    restarted,
  } = await shells.open(shellOpenInput.parse({ workspace_id: id, env: { A: 'b' } }), call());
  expect([cwd, restarted]).toEqual(['/workspace', false]);
  const one = { workspace_id: id, shell_id: shell };
  const write = (input: string) => shells.write(shellWriteInput.parse({ ...one, input }), call());
  const read = (wait: string) => shells.read(shellReadInput.parse({ ...one, wait_for: wait, plain: true }), call());
  expect(await write('echo "<$A>"')).toMatchObject({ input_length: 12, append_newline: true });
  expect((await read('<b>')).matched).toBe(true);
  await shells.resize({ ...one, cols: 44, rows: 12 }, call());
  await write('stty size');
  expect((await read('12 44')).output).toContain('12 44');
  await write('sleep 1000');
  await until(async () => (await exec(engine, id, "grep -lE '^Name:.sleep$' /proc/[0-9]*/status")).stdout !== '');
  expect(await shells.signal(shellSignalInput.parse(one), call())).toMatchObject({ signal: 'INT' });
  await write('echo again');
  await read('again');
  expect(await shells.list({ workspace_id: id }, call())).toMatchObject({ count: 1, shells: [{ shell_id: shell }] });
  await engine.reopen();
  await engine.workspaces().shells.write(shellWriteInput.parse({ ...one, input: 'exit' }), call());
  await until(
    async () =>
      ended.safeParse((await engine.workspaces().shells.list({ workspace_id: id }, call())).shells[0]).success,
  );
  expect(await engine.workspaces().shells.close(one, call())).toMatchObject({ closed: true, shell_id: shell });
  expect(await engine.workspaces().shells.list({ workspace_id: id }, call())).toMatchObject({ count: 0 });
  await expect(engine.workspaces().shells.read(shellReadInput.parse(one), call())).rejects.toMatchObject({
    code: 'shell_unknown',
  });
});

test('a service is waited for until it is ready, shown, logged, stopped, and started again', async () => {
  const begun = await start({
    service_name: 'web',
    command: 'echo out; echo err >&2; touch ready; exec sleep 1000',
    ready_file: 'ready',
    ready_command: 'test -e ready',
  });
  expect(begun).toMatchObject({ state: 'running', readiness: [{ type: 'file' }, { type: 'command' }] });
  const one = { workspace_id: id, service_name: 'web' };
  const { services } = engine.workspaces();
  expect(await services.list({ workspace_id: id }, call())).toMatchObject({ count: 1, running_count: 1 });
  expect(await services.status(one, call())).toMatchObject({ state: 'running' });
  // Its readiness may be known a moment before its output is here.
  const logs = async () => await services.logs(serviceLogsInput.parse(one), call());
  await until(async () => (await logs()).stderr !== '');
  expect(await logs()).toMatchObject({ stdout: 'out\n', stderr: 'err\n' });
  await expect(start({ service_name: 'web', command: 'true' })).rejects.toMatchObject({ code: 'service_running' });
  expect(await services.stop(one, call())).toMatchObject({ state: 'stopped' });
  // Stopping what is over changes nothing.
  expect(await services.stop(one, call())).toMatchObject({ state: 'stopped' });
  expect(await services.list({ workspace_id: id }, call())).toMatchObject({ count: 1, running_count: 0 });
  await expect(services.status({ ...one, service_name: 'none' }, call())).rejects.toMatchObject({
    code: 'service_unknown',
  });
});

test('a service that does not get ready in its time says what did not hold', async () => {
  const failed = await start({
    service_name: 'never',
    command: 'exec sleep 1000',
    ready_tcp: '9',
    ready_timeout_seconds: 1,
    ready_interval_ms: 50,
  });
  expect(failed).toMatchObject({ state: 'failed', readiness: [{ type: 'tcp', target: ':9' }] });
  const waiting = await start({
    service_name: 'slow',
    command: 'exec sleep 1000',
    ready_file: 'nowhere',
    wait_seconds: 0,
  });
  expect(waiting).toMatchObject({ state: 'starting' });
  await engine.workspaces().services.stop({ workspace_id: id, service_name: 'slow' }, call());
});

test('a port is one of 127.0.0.1 of this host, if the server or the workspace permits one', async () => {
  const ports = [{ guest_port: 9 }];
  const none: NetworkCeiling = { policy: 'off', allow: [], packageSources: 'none' };
  await expect(start({ service_name: 'p', command: 'true', published_ports: ports }, none)).rejects.toMatchObject({
    code: 'ports_unavailable',
    hint: expect.stringContaining('--network-policy published-ports'),
  });
  const published = await start(
    { service_name: 'p', command: 'exec sleep 1000', published_ports: ports },
    { ...none, policy: 'published-ports' },
  );
  const [port] = published.published_ports;
  expect(port).toMatchObject({ host: '127.0.0.1', guest_port: 9 });
  const socket = connect(port?.host_port ?? 0, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.destroy();
  const granted = createInput.parse({ ...createRequest, network_policy: 'egress+published-ports' });
  const other = (await engine.workspaces().create(granted, call())).workspace_id;
  const request = serviceStartInput.parse({
    workspace_id: other,
    service_name: 'p',
    command: 'exec sleep 1000',
    published_ports: ports,
  });
  await expect(engine.workspaces().services.start(request, call({ network: none }))).resolves.toMatchObject({
    state: 'running',
  });
});

test('a start of a service that is cancelled at any moment leaves no process', async () => {
  let turn = 0;
  const { cancelledCount } = await cancelEverywhere(
    async (context) => {
      turn += 1;
      const fields = { service_name: `c${turn}`, command: 'exec sleep 1000', ready_command: 'sleep 0.05' };
      await engine.workspaces().services.start(serviceStartInput.parse({ workspace_id: id, ...fields }), context);
      await engine.workspaces().services.stop({ workspace_id: id, service_name: `c${turn}` }, call());
    },
    async () => {
      await until(async () => (await exec(engine, id, "grep -lE '^Name:.sleep$' /proc/[0-9]*/status")).exit_code !== 0);
    },
  );
  expect(cancelledCount).toBeGreaterThan(1);
});
