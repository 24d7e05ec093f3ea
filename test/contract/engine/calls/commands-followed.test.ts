// Commands that are waited for, left, signalled and read page by page, by whoever comes later and by somebody who watches.

import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunControl, RunIo } from '../../../../src/contract/call.ts';
import { execSignalInput, type LogsInput, logsInput } from '../../../../src/contract/commands.ts';
import { noLongerWaiting } from '../../../../src/shared/leaving.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let id = '';

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  id = (await engine.workspaces().create(createRequest, call())).workspace_id;
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function logs(fields: Partial<LogsInput>) {
  return await engine.workspaces().logs({ ...logsInput.parse({ workspace_id: id }), ...fields }, call());
}

async function signal(sequence: number, name: 'INT' | 'KILL' | 'TERM' = 'INT') {
  const request = execSignalInput.parse({ workspace_id: id, sequence, signal_name: name });
  return await engine.workspaces().signal(request, call());
}

/** Streams of somebody who watches, with what was written to them. */
function watcher(fields: Partial<RunIo> = {}) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const text = { stdout: '', stderr: '' };
  stdout.on('data', (bytes: Buffer) => {
    text.stdout += bytes.toString();
  });
  stderr.on('data', (bytes: Buffer) => {
    text.stderr += bytes.toString();
  });
  const controls: RunControl[] = [];
  let isUndone = false;
  const io: RunIo = {
    stdin: undefined,
    stdout,
    stderr,
    terminal: undefined,
    onStarted: (control) => {
      controls.push(control);
      return () => {
        isUndone = true;
      };
    },
    ...fields,
  };
  return { io, text, controls, isUndone: () => isUndone };
}

test('a command that outlasts its caller goes on, is followed by its number, and has its end told', async () => {
  const begun = await exec(engine, id, 'echo a; until [ -e go ]; do sleep 0.02; done; echo b; exit 7', {
    wait_seconds: 0.2,
  });
  expect(begun).toMatchObject({ running: true, exit_code: null, timed_out: false });
  const { sequence } = begun;
  await until(async () => (await logs({ sequence, stream: 'stdout' })).entries[0]?.stdout === 'a\n');
  const waiting = logs({ sequence, stream: 'stdout', cursor: 2, wait_seconds: 60 });
  await exec(engine, id, 'touch go');
  expect((await waiting).entries[0]?.stdout).toBe('b\n');
  await until(async () => (await logs({ sequence })).entries[0]?.running === false);
  const ended = await logs({ sequence, stream: 'stdout', cursor: 4 });
  expect(ended).toMatchObject({ entries: [{ stdout: '', exit_code: 7, stdout_bytes: 4 }], next_cursor: null });
  const whole = await logs({ sequence, wait_seconds: 60 });
  expect(whole.entries).toMatchObject([{ stdout: 'a\nb\n', exit_code: 7, running: false }]);
});

test('output of any length is read page by page, each byte once, whatever characters the pages cut', async () => {
  const {
    sequence,
    truncated,
    stdout_bytes: size,
  } = await exec(
    engine,
    id,
    'i=0; while [ $i -lt 3000 ]; do echo "line $i: äöü€𝄞"; i=$((i+1)); done | tee all; echo err >&2',
  );
  expect(truncated).toBe(true);
  for (const limit of [997, 65_536]) {
    let text = '';
    for (let cursor: number | null = 0; cursor !== null; ) {
      const page = await logs({ sequence, stream: 'stdout', cursor, limit });
      expect(page.entries[0]?.is_utf8).toBe(true);
      text += page.entries[0]?.stdout ?? '';
      cursor = page.next_cursor;
    }
    expect(Buffer.byteLength(text)).toBe(size);
    const { stdout: sum } = await exec(engine, id, 'sha256sum < all');
    expect(sum.slice(0, 64)).toBe(createHash('sha256').update(text).digest('hex'));
  }
  expect((await logs({ sequence, stream: 'stderr' })).entries[0]).toMatchObject({ stdout: '', stderr: 'err\n' });
});

test('cursors that fit nothing are refused with what would', async () => {
  const { sequence } = await exec(engine, id, 'echo abc');
  await expect(logs({ sequence, cursor: 1 })).rejects.toMatchObject({ code: 'usage', hint: /stream/ });
  await expect(logs({ sequence, stream: 'stdout', cursor: 5 })).rejects.toThrow(
    `stdout of command ${sequence} has 4 bytes, but the cursor is 5`,
  );
  await expect(logs({ sequence: 99_999 })).rejects.toMatchObject({ code: 'command_unknown' });
});

test('the history has the newest last, goes on after a cursor, and waits for those that run', async () => {
  for (const word of ['x', 'y', 'z']) await exec(engine, id, `echo ${word}`);
  const last = (await logs({ limit: 1 })).entries[0];
  expect(last).toMatchObject({ command: 'echo z', stdout: 'z\n' });
  const from = (last?.sequence ?? 0) - 3;
  const page = await logs({ cursor: from, limit: 2 });
  expect(page.entries.map(({ command }) => command)).toEqual(['echo x', 'echo y']);
  expect(page.next_cursor).toBe(from + 2);
  expect(await logs({ cursor: from + 2 })).toMatchObject({ entries: [{ command: 'echo z' }], next_cursor: null });
  const { sequence } = await exec(engine, id, 'sleep 0.3; echo late', { wait_seconds: 0 });
  const { entries } = await logs({ limit: 1, wait_seconds: 60 });
  expect(entries).toMatchObject([{ sequence, stdout: 'late\n', running: false }]);
});

test('a signal reaches the whole group; one that comes too late says how it went', async () => {
  const { sequence } = await exec(engine, id, 'sleep 1000 | cat', { wait_seconds: 0 });
  expect(await signal(sequence, 'TERM')).toMatchObject({ sequence, signal: 'TERM' });
  await until(async () => (await logs({ sequence })).entries[0]?.running === false);
  await expect(signal(sequence)).rejects.toMatchObject({
    code: 'command_ended',
    message: `command ${sequence} ended with exit code 143`,
  });
  await expect(signal(99_999)).rejects.toMatchObject({ code: 'command_unknown' });
});

test('a signal reaches a command that is only starting, as one has to whose caller left at once', async () => {
  for (let turn = 0; turn < 10; turn++) {
    const command = `sleep ${2000 + turn}`;
    const leaving = new AbortController();
    const left = exec(engine, id, command, {}, { signal: leaving.signal }).catch((error: unknown) => error);
    let sequence = 0;
    // At once, since a start takes some milliseconds.
    for (const waiting = Date.now() + 60_000; sequence === 0 && Date.now() < waiting; ) {
      await new Promise((resolve) => setImmediate(resolve));
      sequence = (await logs({ limit: 1 })).entries.find((each) => each.command === command)?.sequence ?? 0;
    }
    leaving.abort(noLongerWaiting('the host cancelled the call'));
    expect(await signal(sequence, 'KILL')).toMatchObject({ sequence, signal: 'KILL' });
    expect(await left).toMatchObject({ code: 'cancelled' });
    await until(async () => (await logs({ sequence })).entries[0]?.exit_code === 137);
  }
});

test('a command that takes longer than its limit is killed with its children, and its output stays', async () => {
  const result = await exec(engine, id, 'echo before; sleep 1000 & sleep 1000', { timeout_seconds: 0.4 });
  expect(result).toMatchObject({ exit_code: 124, timed_out: true, stdout: 'before\n' });
  expect((await exec(engine, id, "grep -lE '^Name:.sleep$' /proc/[0-9]*/status")).stdout).toBe('');
});

test('who leaves without a cancel leaves the command at work', async () => {
  const leaving = new AbortController();
  const left = exec(
    engine,
    id,
    'echo on > left; until [ -e back ]; do sleep 0.02; done',
    {},
    { signal: leaving.signal },
  );
  const failed = expect(left).rejects.toMatchObject({ code: 'cancelled' });
  await until(async () => (await exec(engine, id, 'cat left')).stdout === 'on\n');
  leaving.abort(noLongerWaiting('the terminal was closed'));
  await failed;
  const { running_sequences: running } = await engine.workspaces().status({ workspace_id: id }, call());
  expect(running).toHaveLength(1);
  await exec(engine, id, 'touch back');
  const [sequence] = running;
  await until(async () => (await logs({ sequence })).entries[0]?.exit_code === 0);
});

test('somebody who watches sees the output as it comes, types into it, and signals it', async () => {
  const { io, text, controls, isUndone } = watcher({ stdin: Readable.from([Buffer.from('typed\n')]) });
  const result = await exec(engine, id, 'cat; echo err >&2; exit 4', {}, { io });
  expect(text).toEqual({ stdout: 'typed\n', stderr: 'err\n' });
  expect(result).toMatchObject({ stdout: '', stderr: '', truncated: false, exit_code: 4, stdout_bytes: 6 });
  expect(isUndone()).toBe(true);
  expect(controls[0]?.followedBy).toBe(`pyro workspace logs ${id} --sequence ${result.sequence} --follow`);
  const second = watcher();
  const running = exec(
    engine,
    id,
    'trap "echo got it; exit 5" INT; echo ready; while :; do sleep 0.02; done',
    {},
    {
      io: second.io,
    },
  );
  await until(() => second.text.stdout === 'ready\n' && second.controls.length > 0);
  second.controls[0]?.signal('INT');
  expect(await running).toMatchObject({ exit_code: 5 });
  expect(second.text.stdout).toBe('ready\ngot it\n');
});

test('a terminal has the size that it was given, and the one that it gets', async () => {
  const { io, text, controls } = watcher({ stdin: new PassThrough(), terminal: { cols: 77, rows: 11 } });
  const running = exec(engine, id, 'stty size; trap "stty size; exit" WINCH; while :; do sleep 0.02; done', {}, { io });
  await until(() => text.stdout === '11 77\r\n' && controls.length > 0);
  controls[0]?.resize({ cols: 90, rows: 20 });
  await running;
  expect(text.stdout).toBe('11 77\r\n20 90\r\n');
});

test('a reader who is gone changes nothing of how the command went', async () => {
  const { io } = watcher();
  io.stdout?.destroy();
  expect(await exec(engine, id, 'seq 100000; exit 6', {}, { io })).toMatchObject({ exit_code: 6 });
});

test('who follows sees all from the beginning to the end, and how it ended', async () => {
  const { sequence } = await exec(
    engine,
    id,
    'echo a; echo b >&2; until [ -e on ]; do sleep 0.02; done; echo c; exit 3',
    {
      wait_seconds: 0,
    },
  );
  const seen = watcher();
  const following = engine.workspaces().follow(logsInput.parse({ workspace_id: id }), call({ io: seen.io }));
  await until(() => seen.text.stdout === 'a\n');
  await exec(engine, id, 'touch on');
  expect(await following).toBe(`[logs] command ${sequence} ended with exit code 3\n`);
  expect(seen.text.stdout).toBe('a\nc\n');
  expect(seen.text.stderr).toMatch(/^\[logs\] command \d+: echo a; echo b.*…\nb\n$/);
  expect(seen.isUndone()).toBe(true);
  const one = watcher();
  await engine
    .workspaces()
    .follow(logsInput.parse({ workspace_id: id, sequence, stream: 'stderr' }), call({ io: one.io }));
  expect(one.text).toEqual({ stdout: '', stderr: 'b\n' });
});

test('a command that loses its guest says so, to who waits, follows and reads', async () => {
  const lost = (await engine.workspaces().create(createRequest, call())).workspace_id;
  const seen = watcher();
  const waiting = exec(engine, lost, 'echo begun; sleep 1000');
  const failed = expect(waiting).rejects.toMatchObject({
    code: 'guest_ended',
    hint: expect.stringMatching(/logs/),
  });
  await until(
    async () => (await engine.workspaces().status({ workspace_id: lost }, call())).running_sequences.length > 0,
  );
  const following = engine.workspaces().follow(logsInput.parse({ workspace_id: lost }), call({ io: seen.io }));
  await until(() => seen.text.stdout === 'begun\n');
  const guest = engine
    .engine()
    .activity()
    .guests.find((each) => each.workspace_id === lost);
  process.kill(guest?.pid ?? 0, 'SIGKILL');
  await failed;
  expect(await following).toBe('[logs] command 1 was lost with its guest\n');
  const request = execSignalInput.parse({ workspace_id: lost, sequence: 1 });
  await expect(engine.workspaces().signal(request, call())).rejects.toThrow('command 1 was lost when its guest ended');
  expect(await exec(engine, lost, 'true')).toMatchObject({ restarted: true, sequence: 2 });
});
