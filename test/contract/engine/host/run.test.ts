// One command in a guest of its own: it is as the image and the request say, its end is told, and then nothing is left.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RunControl, RunIo } from '../../../../src/contract/call.ts';
import { type RunInput, runInput } from '../../../../src/contract/run.ts';
import { writeJson } from '../../../../src/system/files.ts';
import { identifySelf } from '../../../../src/system/processes.ts';
import { cancelByTheClock, cancelEverywhere } from '../../../support/cancelling.ts';
import { call } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { openService } from '../../../support/network.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
afterEach(async () => {
  if (obstacle !== undefined) return;
  engine.standIn.failures.clear();
  await expectNothingLeft();
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function expectNothingLeft(): Promise<void> {
  await until(() => engine.standIn.alive.size === 0);
  expect(namesIn(join(engine.paths.state, 'runs'))).toEqual([]);
  expect(namesIn(engine.paths.runtime).filter((name) => name !== 'secrets')).toEqual([]);
}

type Changes = Partial<Parameters<typeof call>[0]> & { readonly outputBytes?: number };

async function run(line: string, fields: Partial<RunInput> = {}, { outputBytes = 8000, ...changes }: Changes = {}) {
  const request = runInput.parse({ environment: 'debian:12', command: ['sh', '-c', line], ...fields });
  return await engine.engine().run(request, outputBytes, call(changes));
}

function watcher(fields: Partial<RunIo> = {}) {
  const out = new PassThrough();
  let text = '';
  out.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  const controls: RunControl[] = [];
  const io: RunIo = {
    stdin: undefined,
    stdout: out,
    stderr: undefined,
    terminal: undefined,
    onStarted: (control) => {
      controls.push(control);
      return () => undefined;
    },
    ...fields,
  };
  return { io, controls, text: () => text };
}

test('its output, its exit code and how it was started are the result', async () => {
  expect(await run('echo out; echo err >&2; exit 7')).toMatchObject({
    stdout: 'out\n',
    stderr: 'err\n',
    exit_code: 7,
    timed_out: false,
    boot_source: 'template',
    execution_mode: 'guest',
    cleanup: { deleted: true },
    denied_connections: [],
  });
  expect(await run('true', { cold: true })).toMatchObject({ boot_source: 'cold', exit_code: 0 });
});

test('variables and folder are those of the request, else of the image', async () => {
  expect((await run('pwd; id -u; echo "$A.$PATH"', { env: { A: 'b' } })).stdout).toBe(
    '/\n0\nb./usr/local/bin:/usr/bin:/bin\n',
  );
  expect((await run('pwd; id -u', { cwd: '/tmp' })).stdout).toBe('/tmp\n0\n');
});

test('a project lies in /workspace, where the command begins', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-run-'));
  try {
    writeFileSync(join(folder, 'f'), 'of the project\n');
    expect((await run('pwd; cat f; echo more > f', { seed_path: folder })).stdout).toBe('/workspace\nof the project\n');
    // No run sees what another has written.
    expect((await run('cat f', { seed_path: folder })).stdout).toBe('of the project\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a command that takes too long ends with 124, and its output stays', async () => {
  expect(await run('echo before; sleep 1000', { timeout_seconds: 0.3 })).toMatchObject({
    stdout: 'before\n',
    exit_code: 124,
    timed_out: true,
  });
});

test('of much output the result has the head and the tail', async () => {
  const { stdout, stdout_truncated: isCut } = await run('seq 100000', {}, { outputBytes: 2000 });
  expect(isCut).toBe(true);
  expect(Buffer.byteLength(stdout)).toBeLessThan(2200);
  expect(stdout).toMatch(/^1\n2\n/);
  expect(stdout).toMatch(/99999\n100000\n$/);
});

test('a program that is not there is said to be missing', async () => {
  const request = runInput.parse({ environment: 'debian:12', command: ['no-such-program'] });
  await expect(engine.engine().run(request, 8000, call())).rejects.toMatchObject({ code: 'command_not_found' });
  expect(await run('no-such-program')).toMatchObject({ exit_code: 127 });
});

test('an environment that does not exist starts nothing', async () => {
  await expect(run('true', { environment: 'not a name!' })).rejects.toThrow('not an image reference');
});

test('who watches sees the output, types and signals', async () => {
  const typing = watcher({ stdin: Readable.from([Buffer.from('typed\n')]) });
  expect(await run('cat; exit 2', {}, { io: typing.io })).toMatchObject({ stdout: '', exit_code: 2 });
  expect(typing.text()).toBe('typed\n');
  const seen = watcher();
  const running = run('trap "exit 9" INT; echo ready; while :; do sleep 0.02; done', {}, { io: seen.io });
  await until(() => seen.text() === 'ready\n');
  seen.controls[0]?.signal('INT');
  expect((await running).exit_code).toBe(9);
});

test('a terminal has its size, and no time limit of its own', async () => {
  const seen = watcher({ stdin: new PassThrough(), terminal: { cols: 66, rows: 22 } });
  const running = run('stty size; trap "stty size; exit" WINCH; while :; do sleep 0.02; done', {}, { io: seen.io });
  await until(() => seen.text().includes('22 66'));
  seen.controls[0]?.resize({ cols: 70, rows: 10 });
  await running;
  expect(seen.text()).toBe('22 66\r\n10 70\r\n');
});

test('input that cannot be read ends the command: a part does not pass for the whole', async () => {
  const stdin = new Readable({
    read() {
      this.destroy(new Error('the disk is broken'));
    },
  });
  await expect(run('cat; echo done', {}, { io: watcher({ stdin }).io })).rejects.toMatchObject({
    code: 'input_failed',
  });
});

test('a guest that dies takes its command along, and what it had said is told', async () => {
  const seen = watcher();
  const running = run('echo begun; sleep 1000', {}, { io: seen.io });
  const failed = expect(running).rejects.toMatchObject({ code: 'guest_ended', details: { stdout: 'begun\n' } });
  await until(() => seen.text() === 'begun\n');
  const [pid] = engine.standIn.alive;
  killNow(pid);
  await failed;
});

test('the way out is the one that was asked for', async () => {
  await using service = await openService((socket) => socket.end('hello'));
  const denied = await run('env | grep -ci proxy', {
    network_policy: 'egress',
    allow: [`127.0.0.1:${service.port}`],
  });
  expect(denied.stdout).not.toBe('0\n');
  expect((await run('env | grep -ci proxy')).stdout).toBe('0\n');
  const network = { policy: 'off', allow: [], packageSources: 'none' } as const;
  await expect(run('true', { network_policy: 'egress' }, { network })).rejects.toMatchObject({
    code: 'network_refused',
  });
});

test('a run that is cancelled at any moment leaves nothing', async () => {
  const act = (context: ReturnType<typeof call>) => run('sleep 0.2; echo on', {}, context);
  const check = async (): Promise<void> => await expectNothingLeft();
  const { cancelledCount } = await cancelEverywhere(act, check);
  expect(cancelledCount).toBeGreaterThan(1);
  await cancelByTheClock(act, check, 6);
});

test('a guest that does not start leaves nothing, and what killed runs left goes with the next one', async () => {
  engine.standIn.failures.set('startFresh', new Error('no guest today'));
  await expect(run('true')).rejects.toThrow('no guest today');
  engine.standIn.failures.clear();
  const runs = join(engine.paths.state, 'runs');
  mkdirSync(join(runs, 'abcdefabcdef'), { recursive: true });
  await writeJson(join(runs, 'abcdefabcdef', 'owner.json'), { pid: process.pid, start_ticks: 1 });
  mkdirSync(join(engine.paths.runtime, 'abcdefabcdef'));
  mkdirSync(join(runs, 'fedcbafedcba'));
  await writeJson(join(runs, 'fedcbafedcba', 'owner.json'), identifySelf());
  // A second old: its owner is about to sign.
  mkdirSync(join(runs, 'aaaaaaaaaaaa'));
  await run('true');
  expect(namesIn(runs).sort()).toEqual(['aaaaaaaaaaaa', 'fedcbafedcba']);
  expect(existsSync(join(engine.paths.runtime, 'abcdefabcdef'))).toBe(false);
  for (const name of namesIn(runs)) rmSync(join(runs, name), { recursive: true });
});
