// The health of real guests: panics, reboots, a fork bomb, a QEMU that is stopped; each told in seconds, and the ways out of it quick.
import { kill } from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning } from '../../src/system/processes.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { until } from '../support/until.ts';

let engine: TestEngine;
let id = '';

beforeAll(async () => {
  engine = await openTestEngine();
  id = (await engine.workspaces().create(createRequest, call())).workspace_id;
  await exec(engine, id, 'echo kept > kept; sync');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const status = async () => await engine.workspaces().status({ workspace_id: id }, call());
const guestPid = (): number => engine.engine().activity().guests[0]?.pid ?? 0;

async function timed(work: () => Promise<unknown>): Promise<{ seconds: number; error: unknown }> {
  const startedAt = performance.now();
  const error = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { seconds: (performance.now() - startedAt) / 1000, error };
}

/** What `reboot -f` and `poweroff -f` ask of the kernel; debian:12 has neither program. */
const reboot = (order: string): string => `perl -e 'syscall(169, 0xfee1dead, 672274793, ${order}, 0)'`;

describe('a guest that ends in a command', () => {
  it.each([
    ['a panic', 'echo c > /proc/sysrq-trigger', 'its kernel panicked: sysrq triggered crash', 'crashed'],
    ['the end of its agent', 'kill -SEGV 1', 'its kernel panicked: Attempted to kill init!', 'crashed'],
    ['a reboot', reboot('0x01234567'), 'something in it rebooted it', 'stopped'],
    ['a power-off', reboot('0x4321fedc'), 'something in it switched it off', 'stopped'],
  ])('by %s is told at once as that, and comes back', async (_, command, told, state) => {
    const { seconds, error } = await timed(() => exec(engine, id, `${command}; sleep 30`));
    expect(error).toMatchObject({ code: 'guest_ended', message: expect.stringContaining(told) });
    expect(seconds).toBeLessThan(15);
    await until(async () => (await status()).state !== 'started');
    expect(await status()).toMatchObject({ state, state_reason: expect.stringContaining(told) });
    expect(await exec(engine, id, 'cat kept')).toMatchObject({ stdout: 'kept\n', restarted: true });
  });
});

describe('a guest that does not answer', () => {
  it('since its QEMU is stopped is told in seconds, also to the next daemon, and is heard again', async () => {
    const pid = guestPid();
    kill(pid, 'SIGSTOP');
    try {
      const first = await timed(() => exec(engine, id, 'true'));
      expect(first.error).toMatchObject({
        code: 'guest_unresponsive',
        hint: expect.stringContaining(`kill -CONT ${pid}`),
      });
      expect(first.seconds).toBeLessThan(5);
      const snapshot = await timed(() =>
        engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: 'held' }, call()),
      );
      expect(snapshot.error).toMatchObject({
        code: 'guest_unresponsive',
        hint: expect.stringContaining(`kill -CONT ${pid}`),
      });
      expect(snapshot.seconds).toBeLessThan(5);
      await engine.reopen();
      const second = await timed(() => exec(engine, id, 'true'));
      expect(second.error).toMatchObject({ code: 'guest_unresponsive' });
      expect(second.seconds).toBeLessThan(5);
      expect((await status()).state).toBe('unresponsive');
    } finally {
      kill(pid, 'SIGCONT');
    }
    expect(await exec(engine, id, 'cat kept')).toMatchObject({ stdout: 'kept\n', restarted: false });
  });

  it('since its QEMU is stopped is stopped in seconds, and starts from its disk', async () => {
    kill(guestPid(), 'SIGSTOP');
    const { seconds, error } = await timed(() => engine.workspaces().stop({ workspace_id: id }, call()));
    expect(error).toBeUndefined();
    expect(seconds).toBeLessThan(8);
    await engine.workspaces().start({ workspace_id: id }, call());
    expect((await exec(engine, id, 'cat kept')).stdout).toBe('kept\n');
  });

  it('is not made of one with 50 busy loops, which answers', async () => {
    await exec(engine, id, 'for i in $(seq 50); do sh -c "while :; do :; done" & done; sleep 1; echo up');
    for (let turn = 0; turn < 3; turn++) expect((await exec(engine, id, 'echo hi')).stdout).toBe('hi\n');
    expect((await status()).state).toBe('started');
  });

  it('is not made of one by a fork bomb, which ends with its command', async () => {
    const processes = async (): Promise<number> =>
      Number((await exec(engine, id, 'ls -d /proc/[0-9]* | wc -l')).stdout);
    const before = await processes();
    const bomb = exec(engine, id, 'f(){ f|f& }; f; sleep 60', { timeout_seconds: 14 });
    await until(async () => (await processes()) > 500);
    for (let turn = 0; turn < 3; turn++) {
      const startedAt = performance.now();
      expect(await exec(engine, id, 'echo hi')).toMatchObject({ stdout: 'hi\n', restarted: false });
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    }
    expect((await status()).state).toBe('started');
    expect(await processes()).toBeLessThan(3000);
    expect(await bomb).toMatchObject({ timed_out: true });
    await until(async () => (await processes()) < before + 20);
  });

  it('whatever a fork bomb does to it, is reset within seconds', async () => {
    const process = engine.engine().activity().guests[0];
    const reset = await timed(() => engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call()));
    expect(reset.error).toBeUndefined();
    expect(reset.seconds).toBeLessThan(30);
    expect((await exec(engine, id, 'ls')).stdout).toBe('');
    expect(isRunning({ pid: process?.pid ?? 0, start_ticks: -1 })).toBe(false);
  });
});
