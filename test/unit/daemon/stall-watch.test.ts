// A thread that was held up is written down with the calls that ran; one that was not is not.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StallWatch } from '../../../src/daemon/stall-watch.ts';

function watch() {
  const lines: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
  const log = {
    path: '',
    info: (event: string, fields = {}) => void lines.push({ event, fields }),
    fault: () => undefined,
  };
  return { stalls: new StallWatch(log), lines };
}

function hold(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('the watch over the thread of the daemon', () => {
  it('writes down a stall, how much of it was our own work, and what ran', async () => {
    const { stalls, lines } = watch();
    const over = [stalls.begin('workspace.diff'), stalls.begin('workspace.list'), stalls.begin('workspace.list')];
    hold(500);
    await sleep(20);
    for (const end of over) end();
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toMatchObject({ event: 'stall', fields: { calls: ['workspace.diff', 'workspace.list'] } });
    expect(lines[0]?.fields['ms']).toBeGreaterThan(200);
    expect(lines[0]?.fields['own_cpu_ms']).toBeGreaterThan(50);
  });

  it('writes down one that ends with its call', () => {
    const { stalls, lines } = watch();
    const over = stalls.begin('workspace.diff');
    hold(500);
    over();
    expect(lines).toMatchObject([{ fields: { calls: ['workspace.diff'] } }]);
  });

  it('says nothing of a time in which no call ran', async () => {
    const { stalls, lines } = watch();
    stalls.begin('workspace.diff')();
    hold(500);
    stalls.begin('workspace.diff')();
    await sleep(10);
    expect(lines).toEqual([]);
  });
});
