// Services of a workspace over a stand-in guest, by the calls of a model: readiness, logs, ports, restarts and every kind of end.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  serviceListInput,
  serviceLogsInput,
  serviceStartInput,
  serviceStatusInput,
  serviceStopInput,
} from '../../../../src/contract/services.ts';
import { call } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { freePort } from '../../../support/registry.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-services';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

type Given = Record<string, unknown>;
const named = (service_name: string) => ({ workspace_id: house.id, service_name });
const start = async (name: string, command: string, given: Given = {}, changes: Parameters<typeof call>[0] = {}) =>
  await house.all.services.start(
    serviceStartInput.parse({ ...named(name), command, ready_interval_ms: 50, ...given }),
    call(changes),
  );
const status = async (name: string) => await house.all.services.status(serviceStatusInput.parse(named(name)), call());
const stop = async (name: string) => await house.all.services.stop(serviceStopInput.parse(named(name)), call());
const logs = async (name: string, given: Given = {}, changes: Parameters<typeof call>[0] = {}) =>
  await house.all.services.logs(serviceLogsInput.parse({ ...named(name), ...given }), call(changes));
const list = async () => await house.all.services.list(serviceListInput.parse({ workspace_id: house.id }), call());

async function answerOf(port: number): Promise<string> {
  return await new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /x HTTP/1.0\r\n\r\n'));
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    socket.on('error', () => undefined).on('close', () => resolve(text));
  });
}

/** A server of HTTP in nothing but the programs of every guest: each answer is one run of this script. */
const server = (port: number) =>
  `exec perl -MIO::Socket::INET -e 'my $s=IO::Socket::INET->new(LocalAddr=>"127.0.0.1",LocalPort=>${port},Listen=>5,ReuseAddr=>1) or die $!; $|=1; print "up\\n"; while(my $c=$s->accept){my $l=<$c>; print "got $l"; while(defined(my $h=<$c>)){last if $h=~/^\\r?\\n$/} print $c "HTTP/1.0 ".($l=~/bad/?"500 X":"200 OK")."\\r\\n\\r\\nhello\\n"; close $c}'`;

describe.skipIf(obstacle !== undefined)('a service', { shuffle: false }, () => {
  it('is ready when its probe of each kind holds, and says what did not hold before', async () => {
    expect(await start('none', 'sleep 4730')).toMatchObject({ state: 'running', readiness: [], restart_count: 0 });
    const waiting = await start('file', 'sleep 4731', { ready_file: 'up', wait_seconds: 0 });
    expect(waiting).toMatchObject({ state: 'starting', readiness: [{ type: 'file', target: '/workspace/up' }] });
    await until(async () => (await status('file')).readiness_detail?.includes('/workspace/up') === true);
    await house.sh('touch up');
    await until(async () => (await status('file')).state === 'running');
    expect(await start('command', 'sleep 4732', { ready_command: 'test -e up' })).toMatchObject({ state: 'running' });
    const port = await freePort();
    const http = await start('http', server(port), {
      ready_tcp: `${port}`,
      ready_http: `http://127.0.0.1:${port}/good`,
    });
    expect(http).toMatchObject({ state: 'running', readiness_detail: null });
    // What it writes in pieces comes in pieces.
    await until(async () => (await logs('http')).stdout.includes('got GET /good'));
    const bad = await start('bad', 'sleep 4733', {
      ready_http: `http://127.0.0.1:${port}/bad`,
      ready_timeout_seconds: 1,
    });
    expect(bad).toMatchObject({ state: 'failed', stop_reason: 'readiness_timeout' });
    expect(bad.readiness_detail).toContain('500');
    expect(await house.processes('sleep 4733')).toBe(0);
    expect(await list()).toMatchObject({ count: 5, running_count: 4 });
    await expect(start('none', 'true')).rejects.toMatchObject({ code: 'service_running' });
    await expect(status('nobody')).rejects.toMatchObject({ code: 'service_unknown' });
  });

  it('that ends before it is ready has failed, with its exit code', async () => {
    expect(await start('dies', 'echo why >&2; exit 9', { ready_file: 'never' })).toMatchObject({
      state: 'failed',
      exit_code: 9,
      stop_reason: 'process_exited_before_ready',
    });
    expect((await logs('dies')).stderr).toBe('why\n');
    // One that is over gives its name to another.
    expect(await start('dies', 'sleep 4734')).toMatchObject({ state: 'running' });
    expect((await logs('dies')).stderr).toBe('');
    expect(await stop('dies')).toMatchObject({ state: 'stopped', stop_reason: 'sigterm' });
    expect(await stop('dies')).toMatchObject({ state: 'stopped' });
    expect(await house.processes('sleep 4734')).toBe(0);
  });

  it('is followed: its newest lines, a page from a cursor, and what comes', async () => {
    await start('talks', 'seq 1000; until [ -e more ]; do sleep 0.02; done; echo later; sleep 4735');
    await until(async () => (await logs('talks')).stdout.endsWith('1000\n'));
    expect(await logs('talks', { tail_lines: 2 })).toMatchObject({ stdout: '999\n1000\n', truncated: true });
    expect((await logs('talks', { all: true, limit: 100_000 })).stdout).toMatch(/^1\n2\n/);
    let text = '';
    let cursor: number | null = 0;
    do {
      const page: Awaited<ReturnType<typeof logs>> = await logs('talks', { stream: 'stdout', cursor, limit: 500 });
      text += page.stdout;
      cursor = page.next_cursor;
      if (!page.truncated) break;
    } while (cursor !== null);
    expect(text.split('\n')).toHaveLength(1001);
    const coming = logs('talks', { stream: 'stdout', cursor, wait_seconds: 60 });
    const tail = logs('talks', { tail_lines: 1, stream: 'stdout', wait_seconds: 60 });
    await house.sh('touch more');
    expect((await coming).stdout).toBe('later\n');
    expect((await tail).stdout).toBe('later\n');
    await expect(logs('talks', { cursor: 0 })).rejects.toMatchObject({ code: 'usage' });
    await expect(logs('talks', { stream: 'stdout', cursor: 1e9 })).rejects.toMatchObject({ code: 'usage' });
    const waiting = new AbortController();
    const never = logs('talks', { wait_seconds: 60 }, { signal: waiting.signal });
    waiting.abort(new Error('enough'));
    await expect(never).rejects.toThrow();
    await stop('talks');
    const end = await logs('talks', { stream: 'stdout', cursor: text.length });
    expect(end).toMatchObject({ stdout: 'later\n', next_cursor: null });
  });

  it('comes back as its policy says, until it is stopped', async () => {
    await start('again', 'echo run; sleep 0.05; exit 1', { restart_policy: 'on-failure' });
    await until(async () => (await status('again')).restart_count >= 2);
    expect(['restarting', 'starting', 'running']).toContain((await status('again')).state);
    expect(await stop('again')).toMatchObject({ state: 'stopped' });
    const { restart_count: count } = await status('again');
    // The last run may have been stopped before it said so.
    expect(['run\n'.repeat(count), 'run\n'.repeat(count + 1)]).toContain((await logs('again')).stdout);
    await start('well', 'exit 0', { restart_policy: 'on-failure' });
    await until(async () => (await status('well')).state === 'exited');
    expect(await status('well')).toMatchObject({ exit_code: 0, restart_count: 0 });
  });

  it('keeps its secret out of its logs and its record', async () => {
    await start('secret', 'echo "[$KEY]"; sleep 4736', { secret_env: { TOKEN: 'KEY' } });
    await until(async () => (await logs('secret')).stdout === `[${'*'.repeat(value.length)}]\n`);
    await expect(start('shown', `echo ${value}`)).rejects.toMatchObject({ code: 'secret_in_record' });
    await expect(start('shown', 'true', { env: { A: value } })).rejects.toMatchObject({ code: 'secret_in_record' });
    await expect(start('shown', 'true', { secret_env: { NONE: 'A' } })).rejects.toMatchObject({
      code: 'secret_unknown',
    });
    expect((await list()).services.map(({ service_name: name }) => name)).not.toContain('shown');
    await stop('secret');
  });

  it('that is cancelled while it starts, or started twice at once, is there once or not at all', async () => {
    const work = async (signal: AbortSignal) => {
      await house.sh('rm -f late; (sleep 0.3; touch late) >/dev/null 2>&1 &');
      await start('late', 'sleep 4737', { ready_file: 'late' }, { signal });
      await stop('late');
    };
    expect(await cancelAllAlong(work, 8)).toBeGreaterThan(0);
    await until(async () => (await house.processes('sleep 4737')) === 0);
    const both = await Promise.allSettled([start('twice', 'sleep 4738'), start('twice', 'sleep 4738')]);
    expect(both.map(({ status: each }) => each).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await house.processes('sleep 4738')).toBe(1);
    await Promise.all([stop('twice'), stop('twice')]);
    expect(await house.processes('sleep 4738')).toBe(0);
  });

  it('goes on with another daemon; after its guest was killed only the one that is always wanted comes back', async () => {
    await start('once', 'echo a; sleep 4739');
    await start('always', 'echo b; sleep 4740', { restart_policy: 'always' });
    const { pid } = await status('once');
    await house.engine.reopen();
    expect(await status('once')).toMatchObject({ state: 'running', pid });
    killNow(house.engine.engine().activity().guests[0]?.pid);
    await until(() => house.engine.engine().activity().runningGuests === 0);
    await house.sh('true');
    await until(async () => (await status('always')).state === 'running');
    expect(await status('once')).toMatchObject({ state: 'stopped', stop_reason: 'guest_ended' });
    expect((await logs('always')).stdout).toBe('b\nb\n');
    expect([await house.processes('sleep 4739'), await house.processes('sleep 4740')]).toEqual([0, 1]);
    await house.all.stop({ workspace_id: house.id }, call());
    expect(await status('always')).toMatchObject({ state: 'stopped', stop_reason: 'workspace_stopped' });
    await house.all.start({ workspace_id: house.id }, call());
    await until(async () => (await status('always')).state === 'running');
    await house.all.reset({ workspace_id: house.id, snapshot: 'baseline' }, call());
    expect(await status('always')).toMatchObject({ state: 'stopped', stop_reason: 'workspace_reset' });
  });

  it('has ports of this machine as long as it runs, where that is permitted', async () => {
    const port = await freePort();
    const given = { published_ports: [{ guest_port: port }], ready_tcp: `${port}` };
    const network = { policy: 'egress' as const, allow: [], packageSources: 'none' as const };
    await expect(start('web', server(port), given, { network })).rejects.toMatchObject({ code: 'ports_unavailable' });
    const { published_ports: ports } = await start('web', server(port), given);
    expect(ports).toMatchObject([{ host: '127.0.0.1', guest_port: port, protocol: 'tcp' }]);
    const hostPort = ports[0]?.host_port ?? 0;
    expect(await answerOf(hostPort)).toContain('hello');
    await house.engine.reopen();
    expect((await status('web')).published_ports).toEqual(ports);
    expect(await answerOf(hostPort)).toContain('hello');
    const taken = { published_ports: [{ guest_port: port, host_port: hostPort }] };
    await expect(start('other', 'sleep 4741', taken)).rejects.toMatchObject({ code: 'port_taken' });
    expect(await house.processes('sleep 4741')).toBe(0);
    await stop('web');
    expect(await answerOf(hostPort)).toBe('');
  });
});
