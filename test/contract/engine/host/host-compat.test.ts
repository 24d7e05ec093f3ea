// A command on the host itself, where no guest can be started and somebody has permitted it: said loudly, and gone after it.
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { RunIo } from '../../../../src/contract/call.ts';
import { type RunInput, runInput } from '../../../../src/contract/run.ts';
import { PyroError } from '../../../../src/shared/errors.ts';
import type { Progress } from '../../../../src/shared/progress.ts';
import { call } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
beforeEach(() => {
  engine?.standIn.failures.set('open', new PyroError('tool_missing', 'there is no QEMU here'));
});
afterAll(async () => {
  engine?.standIn.failures.clear();
  await engine?.[Symbol.asyncDispose]();
});

const test = it.skipIf(obstacle !== undefined);

async function run(line: string, fields: Partial<RunInput> = {}, changes: Parameters<typeof call>[0] = {}) {
  const given = { environment: 'debian:12', command: ['sh', '-c', line], allow_host_compat: true, ...fields };
  return await engine.engine().run(runInput.parse(given), 8000, call(changes));
}

test('it runs in a folder of its own, which is gone then, and says that nothing protects the host', async () => {
  const told: Progress[] = [];
  const result = await run(
    'pwd; echo "$A"; echo err >&2; exit 5',
    { env: { A: 'b' } },
    { onProgress: (progress) => void told.push(progress) },
  );
  expect(result).toMatchObject({
    stderr: 'err\n',
    exit_code: 5,
    execution_mode: 'host_compat',
    accelerator: 'none',
    boot_source: 'none',
    environment_version: 'none',
  });
  const [folder = '', variable] = result.stdout.split('\n');
  expect(variable).toBe('b');
  expect(folder).toContain('pyro-host-');
  expect(existsSync(folder)).toBe(false);
  expect(told.map(({ message }) => message).join('\n')).toMatch(
    /ON THIS HOST WITHOUT ISOLATION.*there is no QEMU here|there is no QEMU here.*ON THIS HOST WITHOUT ISOLATION/,
  );
});

test('without the permission the failure is told, and nothing runs', async () => {
  await expect(run('true', { allow_host_compat: false })).rejects.toMatchObject({ code: 'tool_missing' });
});

test('only a host that cannot run guests justifies it', async () => {
  engine.standIn.failures.set('open', new PyroError('usage', 'a wrong word'));
  await expect(run('true')).rejects.toMatchObject({ code: 'usage' });
  engine.standIn.failures.clear();
  await expect(run('true')).resolves.toMatchObject({ execution_mode: 'guest' });
  await expect(run('true', { command: ['no-such-program'] })).rejects.toMatchObject({ code: 'command_not_found' });
});

test('a program that is not there, a signal and a time limit end it as they end a guest', async () => {
  await expect(run('', { command: ['no-such-program'] })).rejects.toMatchObject({ code: 'command_not_found' });
  expect(await run('kill -TERM $$')).toMatchObject({ exit_code: 143, timed_out: false });
  expect(await run('echo before; sleep 1000 & sleep 1000', { timeout_seconds: 0.3 })).toMatchObject({
    stdout: 'before\n',
    exit_code: 124,
    timed_out: true,
  });
});

test('input goes in, output comes as it is written, and a cancel ends all that was started', async () => {
  const out = new PassThrough();
  let text = '';
  out.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  const io: RunIo = {
    stdin: Readable.from([Buffer.from('typed\n')]),
    stdout: out,
    stderr: undefined,
    terminal: undefined,
    onStarted: () => () => undefined,
  };
  expect(await run('cat', {}, { io })).toMatchObject({ stdout: '', exit_code: 0 });
  expect(text).toBe('typed\n');
  const cancelling = new AbortController();
  const left = run('sleep 4711 & echo $!; wait', {}, { signal: cancelling.signal, io: { ...io, stdin: undefined } });
  const failed = expect(left).rejects.toMatchObject({ code: 'cancelled' });
  await until(() => /typed\n\d+\n/.test(text));
  cancelling.abort(new PyroError('cancelled', 'by the test'));
  await failed;
  const pid = Number(text.split('\n')[1]);
  await until(() => !existsSync(`/proc/${pid}/fd`) || readdirSync(`/proc/${pid}`).length === 0);
});

test('one that was cancelled before it began leaves no folder', async () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('pyro-host-'));
  const signal = AbortSignal.abort(new PyroError('cancelled', 'by the test'));
  const before = folders();
  await expect(run('sleep 1000', {}, { signal })).rejects.toMatchObject({ code: 'cancelled' });
  expect(folders().filter((name) => !before.includes(name))).toEqual([]);
});

test('input that fails ends the command', async () => {
  const stdin = new Readable({
    read() {
      this.destroy(new Error('the disk is broken'));
    },
  });
  const io: RunIo = {
    stdin,
    stdout: undefined,
    stderr: undefined,
    terminal: undefined,
    onStarted: () => () => undefined,
  };
  await expect(run('cat; sleep 1000', {}, { io })).rejects.toMatchObject({ code: 'input_failed' });
});
