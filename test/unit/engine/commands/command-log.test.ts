// Tests of what is kept of commands: the oldest that have ended go first, and a start reads those alone that run.
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CommandRecord } from '../../../../src/contract/records.ts';
import { CommandLog } from '../../../../src/engine/commands/command-log.ts';
import { readJson } from '../../../../src/system/files.ts';

vi.mock(import('../../../../src/system/files.ts'), { spy: true });

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  vi.mocked(readJson).mockClear();
});

async function begin(log: CommandLog, bytes = 0): Promise<CommandRecord> {
  const record = await log.begin('true', '/', undefined);
  appendFileSync(log.path(record.sequence, 'stdout'), Buffer.alloc(bytes));
  return record;
}

async function end(log: CommandLog, record: CommandRecord): Promise<void> {
  await log.save({ ...record, ended_at: 2, exit_code: 0 });
}

async function add(log: CommandLog, count: number, bytes = 0): Promise<void> {
  for (let turn = 0; turn < count; turn++) await end(log, await begin(log, bytes));
}

const roomy = { commands: 1000, outputBytes: 1000 };

describe('the oldest commands', () => {
  it('go by number, with their files, and asking for one says so', async () => {
    const log = await CommandLog.open(folder, { ...roomy, commands: 3 });
    await add(log, 5);
    expect(log.sequences).toEqual([3, 4, 5]);
    expect(log.goneCount).toBe(2);
    expect(readdirSync(folder).filter((name) => /^00000[12]/.test(name))).toEqual([]);
    await expect(log.get(2)).rejects.toMatchObject({ code: 'command_gone' });
    await expect(log.get(6)).rejects.toMatchObject({ code: 'command_unknown' });
    expect(await log.get(3)).toMatchObject({ sequence: 3, exit_code: 0, lost: false });
  });

  it('go by the size of their output, the newest never', async () => {
    const log = await CommandLog.open(folder, roomy);
    await add(log, 4, 400);
    expect(log.sequences).toEqual([3, 4]);
    await add(log, 1, 5000);
    expect(log.sequences).toEqual([5]);
  });

  it('stay while they run, and go once they have ended', async () => {
    const log = await CommandLog.open(folder, { ...roomy, commands: 2 });
    const first = await begin(log, 5000);
    await add(log, 4);
    expect(log.sequences).toEqual([1, 5]);
    expect(log.goneCount).toBe(3);
    await end(log, first);
    expect(log.sequences).toEqual([5]);
    await add(log, 1);
    expect(log.sequences).toEqual([5, 6]);
  });

  it('that were left by another daemon go too', async () => {
    await add(await CommandLog.open(folder, roomy), 6);
    const log = await CommandLog.open(folder, { ...roomy, commands: 2 });
    expect(log.goneCount).toBe(0);
    await add(log, 1);
    expect(log.sequences).toEqual([6, 7]);
    expect((await CommandLog.open(folder, roomy)).goneCount).toBe(5);
  });
});

describe('a start', () => {
  it('reads the records of those alone that run', async () => {
    const log = await CommandLog.open(folder, roomy);
    await add(log, 50);
    await log.save({ ...(await begin(log)), process: 'p51' });
    await add(log, 1);
    vi.mocked(readJson).mockClear();
    const next = await CommandLog.open(folder, roomy);
    expect(readJson).toHaveBeenCalledTimes(1);
    expect(next.running()).toMatchObject([{ sequence: 51, process: 'p51' }]);
    expect(next.sequences).toHaveLength(52);
    expect(await next.get(7)).toMatchObject({ sequence: 7, exit_code: 0 });
    expect((await begin(next)).sequence).toBe(53);
  });

  it('takes one whose end was never noted for lost, and forgets a mark that a crash has left', async () => {
    const log = await CommandLog.open(folder, roomy);
    await add(log, 1);
    await begin(log);
    appendFileSync(join(folder, '000001.running'), '');
    rmSync(join(folder, '000002.running'));
    const next = await CommandLog.open(folder, roomy);
    expect(next.running()).toEqual([]);
    expect(await next.get(1)).toMatchObject({ exit_code: 0, lost: false });
    expect(await next.get(2)).toMatchObject({ lost: true, ended_at: expect.any(Number) });
    expect(readdirSync(folder).filter((name) => name.endsWith('.running'))).toEqual([]);
  });
});

describe('a disk without room', () => {
  it('costs no end of a command: it holds in memory, and is written with the next one', async () => {
    const log = await CommandLog.open(folder, roomy);
    const [first, second] = [await begin(log), await begin(log)];
    // No file can take the place of a folder.
    rmSync(join(folder, '000001.json'));
    mkdirSync(join(folder, '000001.json'));
    await expect(end(log, first)).rejects.toThrow();
    expect(await log.get(1)).toMatchObject({ exit_code: 0 });
    expect(log.running()).toHaveLength(1);
    rmSync(join(folder, '000001.json'), { recursive: true });
    await end(log, second);
    const next = await CommandLog.open(folder, roomy);
    expect(await next.get(1)).toMatchObject({ exit_code: 0, lost: false });
    expect(next.running()).toEqual([]);
  });
});
