// Whether a guest is heard from: asked rarely while idle, told silent within seconds, never taken for dead while it is only slow.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heartbeat, type Pulse, patiently } from '../../../src/machine/heartbeat.ts';
import { FairClock, isHeld } from '../../../src/system/process-pace.ts';
import { identifyProcess } from '../../../src/system/processes.ts';
import { until } from '../../support/until.ts';

describe('a heartbeat', () => {
  let received = 0;
  let asked = 0;
  let isExcused = false;
  let isDead = false;
  let changes = 0;
  const pulse: Pulse = {
    received: () => received,
    ask: () => {
      asked++;
      if (!isDead) received += 17;
      return true;
    },
    pid: undefined,
    isExcused: () => isExcused,
  };
  const open = (): Heartbeat => new Heartbeat(pulse, () => changes++);

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    received = 0;
    asked = 0;
    changes = 0;
    isExcused = false;
    isDead = false;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks an idle guest four times a minute, and one that somebody waits for each second', () => {
    using heart = open();
    vi.advanceTimersByTime(120_000);
    expect(asked).toBeGreaterThanOrEqual(6);
    expect(asked).toBeLessThanOrEqual(8);
    const before = asked;
    {
      using _attention = heart.attend();
      vi.advanceTimersByTime(10_000);
    }
    expect(asked - before).toBeGreaterThanOrEqual(7);
    expect(asked - before).toBeLessThanOrEqual(11);
    const after = asked;
    vi.advanceTimersByTime(10_000);
    expect(asked - after).toBeLessThanOrEqual(1);
    expect(heart.trouble).toBeUndefined();
  });

  it('asks nothing of a guest that sends by itself', () => {
    using heart = open();
    using _attention = heart.attend();
    for (let turn = 0; turn < 100; turn++) {
      received++;
      vi.advanceTimersByTime(200);
    }
    expect(asked).toBe(0);
    expect(heart.trouble).toBeUndefined();
  });

  it('tells within 6 s that a guest is silent, and at once that it is heard again', () => {
    using heart = open();
    using _attention = heart.attend();
    isDead = true;
    vi.advanceTimersByTime(4000);
    expect(heart.trouble).toBeUndefined();
    vi.advanceTimersByTime(2000);
    expect(heart.trouble).toMatchObject({ state: 'unresponsive', error: { code: 'guest_unresponsive' } });
    expect(changes).toBe(1);
    received++;
    vi.advanceTimersByTime(300);
    expect(heart.trouble).toBeUndefined();
    expect(changes).toBe(2);
  });

  it('finds an idle guest silent by itself, within 20 s', () => {
    using heart = open();
    isDead = true;
    vi.advanceTimersByTime(20_000);
    expect(heart.trouble?.state).toBe('unresponsive');
  });

  it('does not count what is known to keep a guest from answering', () => {
    using heart = open();
    using _attention = heart.attend();
    isDead = true;
    isExcused = true;
    vi.advanceTimersByTime(60_000);
    expect(heart.trouble).toBeUndefined();
    isExcused = false;
    vi.advanceTimersByTime(6000);
    expect(heart.trouble).toBeDefined();
  });

  it('asks once, however long there is no answer', () => {
    using heart = open();
    using _attention = heart.attend();
    isDead = true;
    vi.advanceTimersByTime(60_000);
    expect(asked).toBe(1);
    expect(heart.trouble).toBeDefined();
  });
});

describe('patience with a process', () => {
  it('ends soon for one that a signal holds, and names it', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const pid = child.pid ?? 0;
    try {
      child.kill('SIGSTOP');
      await until(() => isHeld(pid));
      const identity = identifyProcess(pid) ?? { pid, start_ticks: 0 };
      const startedAt = performance.now();
      const silent = patiently(identity, new AbortController().signal, (signal) => rejection(signal));
      await expect(silent).rejects.toMatchObject({
        code: 'guest_unresponsive',
        hint: `let it go on with: kill -CONT ${pid}`,
      });
      expect(performance.now() - startedAt).toBeLessThan(3500);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('ends at once for one that has ended', async () => {
    const gone = { pid: process.pid, start_ticks: 1 };
    const waiting = patiently(gone, new AbortController().signal, (signal) => rejection(signal));
    await expect(waiting).rejects.toMatchObject({ code: 'guest_unreachable' });
  });

  it('leaves out the time in which others had the processors, but for a share', async () => {
    // Three that want each processor: each could run about a third of the time.
    const line = 'while :; do :; done';
    const count = 3 * availableParallelism();
    const children = Array.from({ length: count }, () => spawn('sh', ['-c', line], { stdio: 'ignore' }));
    try {
      const pid = children[0]?.pid ?? 0;
      const clock = new FairClock(pid);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const fair = clock.lap(60_000);
      expect(fair).toBeGreaterThan(200);
      expect(fair).toBeLessThan(800);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});

async function rejection(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return await promise;
}
