// Tests of following a service: nothing is missed or shown twice, and each way of leaving ends it.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { RunControl, RunIo } from '../../../src/contract/call.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { serviceLogs } from '../../../src/operations/service-logs.ts';
import { PyroError } from '../../../src/shared/errors.ts';
import { noProgress } from '../../../src/shared/progress.ts';
import { until } from '../../support/until.ts';

const ids = { workspace_id: '6f1e538c0e71', service_name: 'web' };

/** A service that says what the test lets it say. */
function fakeService(losses = 0) {
  const streams = { stdout: '', stderr: '' };
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  let lossesLeft = losses;
  const notify = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const call = async (_name: string, input: Readonly<Record<string, unknown>>, signal: AbortSignal) => {
    signal.throwIfAborted();
    const { cursor, stream } = input;
    const tail = cursor === undefined;
    const from = tail ? 0 : Number(cursor);
    const name = stream === 'stderr' ? 'stderr' : 'stdout';
    if (!tail && streams[name].length <= from && !isOver) {
      const aborted = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      await Promise.race([wake.promise, aborted]);
      if (lossesLeft-- > 0) throw new PyroError('daemon_lost', 'the daemon ended during the call');
    }
    return {
      ...ids,
      state: isOver ? 'exited' : 'running',
      command: 'serve',
      cwd: '/workspace',
      pid: null,
      started_at: 0,
      ready_at: 0,
      ended_at: null,
      exit_code: isOver ? 3 : null,
      stop_reason: null,
      readiness: [],
      readiness_detail: null,
      restart_policy: 'never',
      restart_count: 0,
      published_ports: [],
      stdout_bytes: streams.stdout.length,
      stderr_bytes: streams.stderr.length,
      execution_mode: 'guest',
      stdout: tail || name === 'stdout' ? streams.stdout.slice(from) : '',
      stderr: tail || name === 'stderr' ? streams.stderr.slice(from) : '',
      tail_lines: 200,
      truncated: false,
      is_utf8: true,
      dropped_bytes: 0,
      next_cursor: tail || isOver ? null : streams[name].length,
    };
  };
  const say = (stream: 'stdout' | 'stderr', text: string): void => {
    streams[stream] += text;
    notify();
  };
  const end = (): void => {
    isOver = true;
    notify();
  };
  return { call, say, end };
}

function fakeReader() {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const shown = { stdout: '', stderr: '' };
  stdout.on('data', (chunk: Buffer) => {
    shown.stdout += chunk.toString('utf8');
  });
  stderr.on('data', (chunk: Buffer) => {
    shown.stderr += chunk.toString('utf8');
  });
  const state: { control: RunControl | undefined; released: boolean } = { control: undefined, released: false };
  const io: RunIo = {
    stdin: undefined,
    stdout,
    stderr,
    terminal: undefined,
    onStarted: (control) => {
      state.control = control;
      return () => {
        state.released = true;
      };
    },
  };
  return { io, shown, state, stdout };
}

const engine: Engine = new Proxy<Engine>(Object.create(null), {});

async function follow(service: ReturnType<typeof fakeService>, io: RunIo, more = {}): Promise<string> {
  const none = { project: undefined, network: undefined, daemon: undefined };
  const { signal } = new AbortController();
  const context = { engine, io, signal, onProgress: noProgress, hostPaths: 'any' as const, ...none };
  return (await serviceLogs.follow?.({ ...context, call: service.call }, { ...ids, ...more })) ?? 'cannot be followed';
}

describe('following a service', () => {
  it('shows what there is, then what comes on either stream, and how it ended', async () => {
    const service = fakeService();
    const reader = fakeReader();
    service.say('stdout', 'before\n');
    const note = follow(service, reader.io);
    await until(() => reader.shown.stdout === 'before\n');
    for (const number of [1, 2, 3]) {
      service.say('stdout', `line ${number}\n`);
      service.say('stderr', `warning ${number}\n`);
      await until(() => reader.shown.stdout.endsWith(`line ${number}\n`));
    }
    service.end();
    expect(await note).toBe('[service] web: exited, exit_code 3\n');
    expect(reader.shown).toEqual({
      stdout: 'before\nline 1\nline 2\nline 3\n',
      stderr: 'warning 1\nwarning 2\nwarning 3\n',
    });
    expect(reader.state.released).toBe(true);
  });

  it('keeps to one stream where one is asked for', async () => {
    const service = fakeService();
    const reader = fakeReader();
    service.say('stdout', 'out\n');
    const note = follow(service, reader.io, { stream: 'stderr', cursor: 0 });
    service.say('stderr', 'err\n');
    await until(() => reader.shown.stderr === 'err\n');
    service.end();
    await note;
    expect(reader.shown.stdout).toBe('');
  });

  it('ends without a word by a signal, and when its reader has gone', async () => {
    const service = fakeService();
    const reader = fakeReader();
    const note = follow(service, reader.io);
    await until(() => reader.state.control !== undefined);
    reader.state.control?.signal('INT');
    expect(await note).toBe('');
    const other = fakeReader();
    const gone = follow(service, other.io);
    await until(() => other.state.control !== undefined);
    other.stdout.destroy();
    expect(await gone).toBe('');
  });

  it('goes on from the same byte when the daemon was ended', async () => {
    const service = fakeService(2);
    const reader = fakeReader();
    service.say('stdout', 'before\n');
    const note = follow(service, reader.io);
    await until(() => reader.shown.stdout === 'before\n');
    service.say('stdout', 'after\n');
    await until(() => reader.shown.stdout === 'before\nafter\n');
    service.end();
    expect(await note).toContain('exited');
    expect(reader.shown.stdout).toBe('before\nafter\n');
  });
});
