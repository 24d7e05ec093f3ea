// The lock between processes: one owner at a time, whoever dies, waits or gives up.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { acquireLock, findHolder } from '../../../src/system/lock.ts';

const worker = new URL('../../support/lock-worker.ts', import.meta.url).pathname;
let path = '';
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-lock-'));
  path = join(folder, 'lock');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

async function work(rounds: number, ending = ''): Promise<Ended> {
  const child = spawn(process.execPath, [worker, path, String(rounds), ending], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  return await new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, stderr })));
}

describe('a lock that many processes want', () => {
  it('has one owner at a time, also where others have left theirs behind', async () => {
    const [processes, rounds] = [8, 30];
    const ended = await Promise.all(Array.from({ length: processes }, () => work(rounds)));
    expect(ended).toEqual(ended.map(() => ({ code: 0, signal: null, stderr: '' })));
    expect(statSync(`${path}.count`).size).toBe(processes * rounds);
  });

  it('is free as soon as its owner is killed', async () => {
    const processes = 6;
    const ended = await Promise.all(Array.from({ length: processes }, () => work(3, 'killed')));
    expect(ended).toEqual(ended.map(() => ({ code: null, signal: 'SIGKILL', stderr: '' })));
    expect(statSync(`${path}.count`).size).toBe(processes * 3);
    await (await acquireLock(path))[Symbol.asyncDispose]();
  });
});

describe('a lock that is held', () => {
  it('names its owner, and is refused at once, after the wait, or when the caller gives up', async () => {
    const held = await acquireLock(path);
    expect(await findHolder(path)).toMatchObject({ pid: process.pid });
    await expect(acquireLock(path)).rejects.toMatchObject({ code: 'locked', details: { pid: process.pid } });
    const told: string[] = [];
    const waiting = acquireLock(path, { waitMs: 300, onWait: (holder) => told.push(holder) });
    await expect(waiting).rejects.toMatchObject({ code: 'locked' });
    expect(told).toEqual([`process ${process.pid}`]);
    const caller = new AbortController();
    const reason = new Error('enough');
    const given = acquireLock(path, { waitMs: 60_000, signal: caller.signal, onWait: () => caller.abort(reason) });
    await expect(given).rejects.toBe(reason);
    await held[Symbol.asyncDispose]();
    expect(await findHolder(path)).toBeUndefined();
    // Nobody who gave up has it, or takes it later.
    await using free = await acquireLock(path);
    expect(free).toBeDefined();
  });

  it('goes to whoever waits when it is let go', async () => {
    const held = await acquireLock(path);
    const next = acquireLock(path, { waitMs: 60_000, onWait: () => void held[Symbol.asyncDispose]() });
    await using got = await next;
    expect(got).toBeDefined();
    await expect(acquireLock(path)).rejects.toMatchObject({ code: 'locked' });
  });
});

it('a file that nobody locks is free, whatever stands in it', async () => {
  writeFileSync(path, 'no owner of ours');
  await using held = await acquireLock(path);
  expect(held).toBeDefined();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
});
