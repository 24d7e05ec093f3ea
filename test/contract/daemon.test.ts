// The daemon as fronts meet it, with real processes: one of its kind, replaceable, and honest when it is lost.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { callBody } from '../../src/daemon/client.ts';
import { longestBody } from '../../src/daemon/protocol.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { identifyProcess } from '../../src/system/processes.ts';
import { contentOf, type FakeHome, openHome, until } from '../support/fake.ts';
import { killNow } from '../support/kill.ts';

let home: FakeHome;
beforeEach(() => {
  home = openHome();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

const echoSchema = z.object({ text: z.string(), pid: z.number() });
const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    retryable: z.boolean(),
    details: z.unknown(),
  }),
});

const doctorSchema = z.object({ checks: z.array(z.object({ name: z.string(), status: z.string() })) });

async function echo(env?: Readonly<Record<string, string>>): Promise<z.infer<typeof echoSchema>> {
  return echoSchema.parse(await home.run(['call', 'fake.echo', '{"text":"hi"}'], env));
}

async function failure(args: readonly string[], env?: Readonly<Record<string, string>>) {
  return errorSchema.parse(await home.run(args, env)).error;
}

/** Raw bytes to the daemon's socket; gives what comes back until the connection ends. */
async function raw(socket: string, text: string): Promise<string> {
  return await new Promise((resolve) => {
    let answer = '';
    const connection = connect(socket, () => connection.write(text));
    connection.on('data', (chunk) => {
      answer += chunk.toString('utf8');
    });
    connection.on('error', () => undefined);
    connection.once('close', () => resolve(answer));
  });
}

describe('starting', () => {
  it('writes no core dump, nor does what it starts', async () => {
    const { pid } = await echo();
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
  });

  it('makes one daemon for five fronts that race', async () => {
    const answers = await Promise.all([echo(), echo(), echo(), echo(), echo()]);
    expect(answers.map(({ text }) => text)).toEqual(['hi', 'hi', 'hi', 'hi', 'hi']);
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(1);
  });

  it('listens for this user alone', async () => {
    await echo();
    const status = await home.status();
    const socket = status?.socket ?? '';
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
  });

  it('clears the socket file and the lock of a dead process', async () => {
    const { pid } = await echo();
    process.kill(pid, 'SIGKILL');
    await until(() => identifyProcess(pid) === undefined);
    expect(existsSync(home.path('state/daemon.lock'))).toBe(true);
    const again = await echo();
    expect(again.pid).not.toBe(pid);
  });

  it('is not disturbed by something else in place of the socket', async () => {
    mkdirSync(home.path('run'), { recursive: true });
    writeFileSync(home.path('run/daemon.sock'), 'no socket');
    expect((await echo()).text).toBe('hi');
  });

  it('tells what kept the daemon from starting', async () => {
    const error = await failure(['call', 'fake.echo', '{"text":"hi"}'], { FAKE_BROKEN_ENGINE: '1' });
    expect(error.message).toContain('the engine does not open today');
    expect(contentOf(home.path('state/logs/daemon.log'))).toContain('the engine does not open today');
  });

  it('finds the one daemon from a host that passes another runtime folder', async () => {
    const base = { PYRO_HOME: '', XDG_STATE_HOME: home.path('xs'), XDG_CACHE_HOME: home.path('xc') };
    mkdirSync(home.path('r1'), { mode: 0o700 });
    mkdirSync(home.path('r2'), { mode: 0o700 });
    const first = await echo({ ...base, XDG_RUNTIME_DIR: home.path('r1') });
    const second = await echo({ ...base, XDG_RUNTIME_DIR: home.path('r2') });
    expect(second.pid).toBe(first.pid);
    await home.run(['stop', '--force'], { ...base, XDG_RUNTIME_DIR: home.path('r2') });
  });
});

describe('living', () => {
  it('outlives the front that started it', async () => {
    const front = home.start(['call', 'fake.wait', `{"ms":60000,"mark":"${home.path('mark')}"}`]);
    await until(() => contentOf(home.path('mark')).includes('started'));
    front.kill('SIGKILL');
    await until(() => contentOf(home.path('mark')).includes('aborted'));
    expect((await home.status())?.calls).toBe(0);
  });

  it('aborts an operation whose front is interrupted', async () => {
    const front = home.start(['call', 'fake.wait', `{"ms":60000,"mark":"${home.path('mark')}"}`]);
    await until(() => contentOf(home.path('mark')).includes('started'));
    front.kill('SIGINT');
    await until(() => contentOf(home.path('mark')).includes('aborted'));
    expect(contentOf(home.path('mark'))).toBe('started\naborted\n');
  });

  it('ends by itself when nothing happens, and leaves no socket', async () => {
    const { pid } = await echo({ PYRO_DAEMON_IDLE_SECONDS: '1' });
    await until(() => identifyProcess(pid) === undefined);
    expect(existsSync(home.path('run/daemon.sock'))).toBe(false);
    expect(existsSync(home.path('state/daemon.lock'))).toBe(false);
    expect(await home.status()).toBeNull();
  });

  it('does not end while a call runs longer than its idle time', async () => {
    const env = { PYRO_DAEMON_IDLE_SECONDS: '1' };
    expect(await home.run(['call', 'fake.wait', '{"ms":3000}'], env)).toEqual({ waited_ms: 3000 });
  });

  it('tells a lost call by a retryable error, and the next call starts it again', async () => {
    const { pid } = await echo();
    const error = await failure(['call', 'fake.fail', '{"how":"crash"}']);
    expect(error).toMatchObject({ code: 'daemon_lost', retryable: true });
    expect((await echo()).pid).not.toBe(pid);
  });

  it('carries an error with its code, hint and details', async () => {
    expect(await failure(['call', 'fake.fail', '{"how":"known"}'])).toEqual({
      code: 'disk_full',
      message: 'no room in the test',
      hint: 'make some',
      details: { free: 3, names: ['a'] },
      retryable: true,
    });
  });

  it('keeps the stack of a fault in its log and says where that is', async () => {
    const error = await failure(['call', 'fake.fail', '{"how":"bug"}']);
    const log = home.path('state/logs/daemon.log');
    expect(error).toMatchObject({ code: 'internal', hint: expect.stringContaining(log) });
    expect(JSON.stringify(error)).not.toContain('fake-operations');
    expect(contentOf(log)).toContain('TypeError: a secret detail');
  });

  it('names the arguments that an operation takes', async () => {
    const error = await failure(['call', 'fake.echo', '{"txt":"hi"}']);
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('arguments: text, count') });
    expect(error.message).toContain('unknown argument txt');
    expect(error.message).toContain('text is missing');
  });
});

describe('ending', () => {
  it('finishes a running call when it is told to stop, and waits with its answer for the end', async () => {
    const call = home.run(['call', 'fake.wait', `{"ms":5000,"mark":"${home.path('mark')}"}`]);
    await until(() => contentOf(home.path('mark')).includes('started'));
    const pid = (await home.status())?.pid ?? 0;
    expect(await home.run(['stop'])).toBe(true);
    // Its connection closes a moment before the process is gone.
    await until(() => identifyProcess(pid) === undefined);
    expect(await call).toEqual({ waited_ms: 5000 });
    expect(await home.run(['stop'])).toBe(false);
  });

  it('lets go of a call at SIGTERM without aborting its work', async () => {
    const call = failure(['call', 'fake.wait', `{"ms":60000,"mark":"${home.path('mark')}"}`]);
    await until(() => contentOf(home.path('mark')).includes('started'));
    killNow((await home.status())?.pid, 'SIGTERM');
    expect((await call).code).toBe('daemon_lost');
    expect(contentOf(home.path('mark'))).toBe('started\n');
  });

  it('gives way to a newer pyro, after its running call', async () => {
    const old = await echo({ FAKE_VERSION: '1.0.0' });
    const call = home.run(['call', 'fake.wait', `{"ms":5000,"mark":"${home.path('mark')}"}`], {
      FAKE_VERSION: '1.0.0',
    });
    await until(() => contentOf(home.path('mark')).includes('started'));
    const next = await echo({ FAKE_VERSION: '1.1.0' });
    expect(next.pid).not.toBe(old.pid);
    expect(await call).toEqual({ waited_ms: 5000 });
    expect((await home.status())?.version).toBe('1.1.0');
  });

  it('serves an older pyro of the same protocol', async () => {
    const next = await echo({ FAKE_VERSION: '1.1.0' });
    expect((await echo({ FAKE_VERSION: '1.0.0' })).pid).toBe(next.pid);
  });
});

describe('a daemon that hangs', () => {
  it('is found by doctor and ended by force, and the next call goes on', async () => {
    const { pid } = await echo();
    process.kill(pid, 'SIGSTOP');
    const doctor = (): { status: string; stdout: string } => {
      const { stdout } = spawnSync(join(import.meta.dirname, '../../bin/pyro'), ['doctor', '--json'], {
        env: { ...process.env, ...home.env },
        encoding: 'utf8',
      });
      const { checks } = doctorSchema.parse(JSON.parse(stdout));
      return { status: checks.find(({ name }) => name === 'daemon')?.status ?? 'none', stdout };
    };
    expect(doctor()).toMatchObject({ status: 'fail', stdout: expect.stringContaining('daemon stop --force') });
    expect(await home.run(['stop', '--force'])).toBe(true);
    expect(identifyProcess(pid)).toBeUndefined();
    expect(doctor()).toMatchObject({ status: 'ok' });
    expect((await echo()).pid).not.toBe(pid);
  });
});

describe('what a broken or hostile client of this user sends', () => {
  it('refuses and goes on', async () => {
    await echo();
    const socket = (await home.status())?.socket ?? '';
    const post = (body: string, path = '/v1/call'): string =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    expect(await raw(socket, 'no http at all\r\n\r\n')).toContain('400');
    expect(await raw(socket, post('{"operation":'))).toContain('not JSON');
    expect(await raw(socket, post('{"operation":"fake.echo"}'))).toContain('is not valid');
    expect(await raw(socket, post('{}', '/v9/call'))).toContain('404');
    expect((await echo()).text).toBe('hi');
  });

  it('refuses a body that is too long without reading it', async () => {
    await echo();
    const socketPath = (await home.status())?.socket ?? '';
    const status = await new Promise((resolve) => {
      const headers = { 'content-length': 64 * 1024 * 1024 };
      const outgoing = request({ socketPath, method: 'POST', path: '/v1/call', headers }, (answer) => {
        resolve(answer.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', () => undefined);
      outgoing.write('{');
    });
    expect(status).toBe(400);
    expect((await echo()).text).toBe('hi');
  });

  it('has a call of too much input refused before it is sent or a daemon started', async () => {
    const folders = { cache: 'c', state: 's', config: 'f', runtime: 'r' };
    const paths = Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, home.path(folder)]));
    const program = { command: ['/nonexistent'], version: '1.0.0', paths: { ...folders, ...paths } };
    const context = {
      signal: new AbortController().signal,
      onProgress: noProgress,
      hostPaths: 'any' as const,
      project: undefined,
      network: undefined,
    };
    const make = () => callBody(program, 'fake.echo', { text: 'x'.repeat(longestBody) }, context);
    expect(make).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(readdirSync(home.folder)).toEqual([]);
  });
});
