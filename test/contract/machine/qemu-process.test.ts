// A QEMU that does not come up: its end is known however early it comes.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { kitFolder } from '../../../src/machine/kit.ts';
import { startQemu } from '../../../src/machine/qemu-process.ts';
import { until } from '../../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'pq-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['that ends at once', '/bin/false', ''],
  ['that is not there', '/none/qemu', 'ENOENT'],
])('one %s has ended, whoever outlives whom', async (_what, qemu, words) => {
  for (let turn = 0; turn < 50; turn++) {
    const messageFile = turn % 2 === 0 ? join(folder, 'messages') : undefined;
    const cgroupName = `pq${process.pid}-${turn}`;
    const limits = { memoryBytes: 64 * 1024 * 1024, processCount: 16 };
    const started = await startQemu({ qemu, args: [], stateFd: undefined, messageFile, cgroupName, limits });
    await started.ended;
    expect(started.hasEnded).toBe(true);
    if (messageFile === undefined) expect(started.lastWords()).toContain(words);
  }
});

it('one that cannot be confined after all runs without, and that is told', async () => {
  const told: string[] = [];
  const started = await startQemu({
    qemu: '/bin/echo',
    args: ['runs'],
    stateFd: undefined,
    confined: {
      launcher: join(kitFolder(), 'confine'),
      name: 'pyro-x',
      spec: { namespaces: true, read: ['/nowhere'], descriptors: 3 },
      onFailure: (why) => told.push(why),
    },
    messageFile: undefined,
    cgroupName: `pq${process.pid}-x`,
    limits: { memoryBytes: 64 * 1024 * 1024, processCount: 16 },
  });
  await started.ended;
  expect(started.lastWords()).toContain('runs');
  expect(told).toEqual([expect.stringContaining('confine: ')]);
});

it('all its threads let the daemon go first', async () => {
  const threads = 'import threading, time\nfor _ in range(3): threading.Thread(target=time.sleep, args=(60,)).start()';
  const started = await startQemu({
    qemu: '/usr/bin/python3',
    args: ['-c', threads],
    stateFd: undefined,
    messageFile: undefined,
    cgroupName: `pq${process.pid}-n`,
    limits: { memoryBytes: 256 * 1024 * 1024, processCount: 16 },
  });
  const pid = started.pid ?? 0;
  try {
    await until(() => readdirSync(`/proc/${pid}/task`).length === 4);
    const lower = Math.min(19, getPriority() + 5);
    for (const thread of readdirSync(`/proc/${pid}/task`)) expect(getPriority(Number(thread))).toBe(lower);
  } finally {
    await started.kill();
  }
});
