// Services against the real agent as a plain process: readiness, restarts, logs, another owner.
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { GuestClient } from '../../../../src/agent/guest-client.ts';
import type { ServiceRecord } from '../../../../src/contract/records.ts';
import type { ServiceLogsInput } from '../../../../src/contract/services.ts';
import type { Service } from '../../../../src/engine/services/service.ts';
import { readServiceLogs } from '../../../../src/engine/services/service-logs.ts';
import { Services } from '../../../../src/engine/services/services.ts';
import { SecretSet } from '../../../../src/secrets/secret-set.ts';
import { isAlive, killNow } from '../../../support/kill.ts';
import { type PlainAgent, startPlainAgent } from '../../../support/plain-agent.ts';
import { freePort } from '../../../support/registry.ts';
import { serviceDraft } from '../../../support/service-draft.ts';
import { until as untilHolds } from '../../../support/until.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'pyro-services-'));
const events = join(folder, 'events.jsonl');
const value = 'contract-secret-42';
const secrets = new SecretSet([{ name: 'TOKEN', source: 'literal', value: Buffer.from(value) }]);
let agent: PlainAgent;
let client: GuestClient;
let services: Services;
let home = '';

async function start(): Promise<void> {
  home = mkdtempSync(join(folder, 'services-'));
  agent = await startPlainAgent();
  client = agent.client;
  client.newOutputFilter = () => secrets.redactor();
  services = await Services.open(home, events, secrets);
}
beforeAll(start);
afterAll(async () => {
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

function draft(name: string, command: string, changes: Partial<ServiceRecord> = {}): ServiceRecord {
  return serviceDraft({ name, command, cwd: agent.folder, ...changes });
}

async function until(what: string, check: () => boolean): Promise<void> {
  await untilHolds(check).catch((cause: unknown) => {
    throw new Error(`never happened: ${what}`, { cause });
  });
}

async function logs(service: Service, changes: Partial<ServiceLogsInput> = {}) {
  const request: ServiceLogsInput = {
    workspace_id: '',
    service_name: service.record.name,
    stream: 'both',
    tail_lines: 200,
    all: false,
    limit: 8000,
    wait_seconds: 0,
    ...changes,
  };
  return await readServiceLogs('0'.repeat(12), service, request, signal);
}

/** A server of HTTP in the language that this test runs in. */
function webServer(port: number, delayMs = 0): string {
  const path = join(agent.folder, `web-${port}.mjs`);
  writeFileSync(
    path,
    `import { createServer } from 'node:http';
console.log('booting');
setTimeout(() => createServer((q, r) => { console.log('served ' + q.url); r.writeHead(q.url === '/health' ? 200 : 404); r.end(); }).listen(${port}, '127.0.0.1'), ${delayMs});`,
  );
  return `exec ${process.execPath} ${path}`;
}

describe('a service', () => {
  it('is ready when all of its probes hold, and not before', async () => {
    const port = await freePort();
    const mark = join(agent.folder, 'mark');
    const service = await services.start(
      client,
      draft('web', webServer(port, 300), {
        ready_file: mark,
        ready_tcp: `:${port}`,
        ready_http: `http://localhost:${port}/health`,
        ready_command: 'test -s mark',
      }),
    );
    await until('the port answers', () => service.view('w').readiness_detail !== null);
    expect(service.view('w')).toMatchObject({ state: 'starting', ready_at: null });
    await until('the file is missing', () => service.view('w').readiness_detail?.includes('mark') === true);
    writeFileSync(mark, '');
    await until(
      'only the command is missing',
      () => service.view('w').readiness_detail?.startsWith('command') === true,
    );
    appendFileSync(mark, 'x');
    await service.settled;
    const view = service.view('w');
    expect(view).toMatchObject({ state: 'running', readiness_detail: null });
    expect(view.pid).toBeGreaterThan(1);
    await expect(services.start(client, draft('web', 'true'))).rejects.toMatchObject({ code: 'service_running' });
    await service.stop(signal);
    expect(service.view('w')).toMatchObject({ state: 'stopped', stop_reason: 'sigterm', pid: null });
    expect((await logs(service)).stdout).toContain('served /health');
  });

  it('that ends before it is ready, or never gets ready, has failed and is gone', async () => {
    const ended = await services.start(client, draft('ends', 'echo no >&2; exit 3', { ready_file: '/no/such' }));
    await ended.settled;
    expect(ended.view('w')).toMatchObject({
      state: 'failed',
      stop_reason: 'process_exited_before_ready',
      exit_code: 3,
    });
    expect((await logs(ended)).stderr).toBe('no\n');
    const late = await services.start(
      client,
      draft('late', 'exec sleep 1000', { ready_file: '/no/such', ready_timeout_ms: 200, restart_policy: 'always' }),
    );
    await late.settled;
    expect(late.view('w')).toMatchObject({ state: 'failed', stop_reason: 'readiness_timeout', pid: null });
  });

  it('comes back as its policy says, and its log goes on', async () => {
    const service = await services.start(
      client,
      draft('flaky', 'echo run; sleep 0.2; exit 1', { restart_policy: 'on-failure' }),
    );
    await until('it came back twice', () => service.record.restart_count >= 2);
    expect((await logs(service)).stdout.startsWith('run\nrun\n')).toBe(true);
    await service.stop(signal);
    const { restart_count: count } = service.record;
    // Longer than the pause before a restart: only time shows that none comes.
    await sleep(1500);
    expect(service.record).toMatchObject({ state: 'stopped', restart_count: count });
    const fine = await services.start(client, draft('fine', 'exit 0', { restart_policy: 'on-failure' }));
    await until('it is over', () => fine.record.state === 'exited');
    expect(fine.record).toMatchObject({ exit_code: 0, restart_count: 0 });
    expect(readFileSync(events, 'utf8')).toContain('flaky restarted');
  });

  it('has its secrets after each restart and in its probe, and they are in no file', async () => {
    const mark = join(agent.folder, 'sizes');
    const command = `printf %s "$KEY" | wc -c >> ${mark}; echo "$KEY"; printf %s "$KEY" | base64 >&2; sleep 0.2; exit 1`;
    const service = await services.start(
      client,
      draft('keeper', command, {
        secret_env: ['TOKEN=KEY'],
        ready_command: `[ "$(printf %s "$KEY" | wc -c)" = ${value.length} ]`,
        restart_policy: 'on-failure',
      }),
    );
    await until('it came back', () => service.record.restart_count >= 1 && service.record.state === 'running');
    await service.stop(signal);
    expect(readFileSync(mark, 'utf8').trim().split('\n').slice(0, 2)).toEqual([`${value.length}`, `${value.length}`]);
    const shown = await logs(service);
    expect(shown.stdout).toMatch(/^\*{18}\n\*{18}\n/);
    const forms = [value, Buffer.from(value).toString('base64')];
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const leaks = files.filter(({ parentPath, name }) => {
      const text = readFileSync(join(parentPath, name), 'latin1');
      return forms.some((form) => text.includes(form));
    });
    expect(leaks.map(({ name }) => name)).toEqual([]);
  });

  it('whose secret is unknown or lost does not start, and says so', async () => {
    const unknown = draft('unknown', 'sleep 1000', { secret_env: ['NONE'] });
    await expect(services.start(client, unknown)).rejects.toMatchObject({ code: 'secret_unknown' });
    const always = draft('always', 'sleep 1000', { secret_env: ['TOKEN'], restart_policy: 'always' });
    const service = await services.start(client, always);
    await service.quiesce(signal);
    // As after a reboot: what is in files is there, what was in memory is not.
    const after = await Services.open(home, events, new SecretSet([], ['TOKEN']));
    await after.restart(client);
    const view = after.get('always').view('w');
    expect(view).toMatchObject({ state: 'stopped', stop_reason: expect.stringContaining('TOKEN') });
    await expect(after.start(client, { ...always, name: 'new' })).rejects.toMatchObject({ code: 'secret_lost' });
  });

  it('keeps the port that it was given, as long as nobody else has it', async () => {
    const ports = [{ host_port: null, guest_port: 80, given_port: null }];
    const portOf = (of: Service): number | undefined => of.view('w').published_ports[0]?.host_port;
    const service = await services.start(
      client,
      draft('ported', 'sleep 0.3; exit 1', { ports, restart_policy: 'always' }),
    );
    const given = portOf(service);
    await until('it came back', () => service.record.restart_count >= 1 && portOf(service) !== undefined);
    expect(portOf(service)).toBe(given);
    await service.stop(signal);
    const again = await services.start(client, draft('ported', 'sleep 1000', { ports }));
    expect(portOf(again)).toBe(given);
    await again.stop(signal);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(given, '127.0.0.1', resolve));
    const moved = await services.start(client, draft('ported', 'sleep 1000', { ports }));
    expect(portOf(moved)).not.toBe(given);
    await moved.stop(signal);
    await new Promise((resolve) => other.close(resolve));
  });

  it('that does not heed TERM is killed', async () => {
    const service = await services.start(client, draft('stubborn', "trap '' TERM; echo up; while :; do sleep 1; done"));
    await until('it is up', () => service.logs.stdout.end > 0);
    await service.stop(signal);
    expect(service.view('w')).toMatchObject({ state: 'stopped', stop_reason: 'sigkill', exit_code: 137 });
  }, 20_000);

  it('whose shell ends at once leaves its children their time to end well', async () => {
    const mark = join(agent.folder, 'saved');
    const careful = `trap 'sleep 0.5; echo yes > ${mark}; exit 0' TERM; echo up; while :; do sleep 0.05; done`;
    const other = await services.start(client, draft('careful', `sh -c "${careful}" & wait`));
    await until('it is up', () => other.logs.stdout.end > 0);
    await other.stop(signal);
    expect(readFileSync(mark, 'utf8')).toBe('yes\n');
    expect(other.view('w')).toMatchObject({ state: 'stopped', stop_reason: 'sigterm' });
  });

  it('shows its newest lines, and is followed from a cursor', async () => {
    const service = await services.start(client, draft('talker', 'seq 1 500; sleep 0.5; echo later; exec sleep 1000'));
    await until('it has said it', () => service.logs.stdout.end >= 1892);
    const tail = await logs(service, { tail_lines: 3 });
    expect(tail).toMatchObject({ stdout: '498\n499\n500\n', truncated: true });
    const next = await logs(service, { stream: 'stdout', cursor: tail.stdout_bytes, wait_seconds: 10 });
    expect(next).toMatchObject({ stdout: 'later\n', dropped_bytes: 0, truncated: false });
    await service.stop(signal);
    expect((await logs(service, { stream: 'stdout', cursor: 1892 + 6 })).next_cursor).toBeNull();
  });

  it('goes on with another owner: its output, its readiness, its policy', async () => {
    // The session of the others ends here.
    onTestFinished(async () => {
      await agent.stop();
      await start();
    });
    const service = await services.start(
      client,
      draft('steady', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done', { restart_policy: 'always' }),
    );
    const gone = await services.start(client, draft('gone', 'sleep 0.5; exit 4', { restart_policy: 'never' }));
    await until('it runs', () => service.logs.stdout.end > 20);
    const pid = service.record.pid;
    await client[Symbol.asyncDispose]();
    await services.settle();
    await until('one has ended while nobody was there', () => !isAlive(gone.record.pid));
    await using other = await agent.reconnect();
    client = other.client;
    client.newOutputFilter = () => secrets.redactor();
    const next = await Services.open(home, events, secrets);
    await next.resume(client);
    const again = next.get('steady');
    expect(again.record).toMatchObject({ state: 'running', pid, restart_count: 0 });
    const seen = again.logs.stdout.end;
    await until('it goes on', () => again.logs.stdout.end > seen + 50);
    const numbers = (await logs(again, { all: true, limit: 1_000_000 })).stdout.trim().split('\n').map(Number);
    expect(numbers.every((value, index) => value === index + 1)).toBe(true);
    await until('the end of the other is known', () => next.get('gone').record.state === 'exited');
    expect(next.get('gone').record.exit_code).toBe(4);
    expect(gone.record.state).not.toBe('exited');
    killNow(pid);
    await until('it comes back', () => again.record.restart_count === 1 && again.record.state === 'running');
    await again.stop(signal);
  });
});
