// Memory that several programs of one user promise to guests: never more together than there is, and nothing for the dead.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runInput } from '../../../../src/contract/run.ts';
import { MemoryLedger } from '../../../../src/engine/guests/memory-ledger.ts';
import { GuestMemory, passing } from '../../../../src/engine/guests/memory-limit.ts';
import { createLocalEngine } from '../../../../src/engine/local-engine.ts';
import { identifyProcess } from '../../../../src/system/processes.ts';
import { call } from '../../../support/engine.ts';

const worker = new URL('../../../support/memory-worker.ts', import.meta.url).pathname;
const totalMib = 24 * 1024;
const id = '0123456789ab';
let root = '';
let folder = '';
let workers: Worker[] = [];

interface Worker {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Has it ask for its memory; gives what it says then */
  readonly ask: () => Promise<string>;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pl-'));
  folder = join(root, 's', 'memory');
});
afterEach(async () => {
  for (const each of workers) await kill(each);
  workers = [];
  rmSync(root, { recursive: true, force: true });
});

/** A program that is ready to ask. */
async function start(memMib: number, { total = totalMib, workspace = '' } = {}): Promise<Worker> {
  const process_ = spawn(process.execPath, [worker, folder, String(total), String(memMib), workspace], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  const said = async (): Promise<string> => String((await lines.next()).value);
  expect(await said()).toBe('ready');
  const started: Worker = {
    process: process_,
    pid: process_.pid ?? 0,
    ask: async () => {
      process_.stdin.write('now\n');
      return await said();
    },
  };
  workers.push(started);
  return started;
}

async function kill({ process }: Worker): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.once('close', resolve));
  process.kill('SIGKILL');
  await ended;
}

it('is given to as many of many programs at once as there is room for', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => start(5000)));
  const said = await Promise.all(all.map(({ ask }) => ask()));
  expect(said.filter((each) => each === 'got it')).toHaveLength(4);
  expect(said.filter((each) => each.includes('"memory_exhausted"'))).toHaveLength(4);
});

it('says which program holds how much, and which of its workspaces could be stopped', async () => {
  const holder = await start(14_000, { workspace: id });
  expect(await holder.ask()).toBe('got it');
  const memory = new GuestMemory(totalMib, new MemoryLedger(folder));
  expect(() => memory.reserve(passing(14_000))).toThrow(
    expect.objectContaining({
      code: 'memory_exhausted',
      message: `a guest of 14000 MiB does not fit: 9552 of 23552 MiB are free, the rest is used by 1 guest (including process ${holder.pid} 14000 MiB)`,
      hint: `stop or delete a workspace that you do not need: ${id} (14000 MiB); or ask for at most 9552 MiB: mem_mib`,
    }),
  );
  expect(memory.lend(9553, () => undefined)).toBeUndefined();
  memory.reserve(passing(9552));
});

it('stays with a guest that outlives the process that started it, and is counted once by who takes it over', async () => {
  const guest = spawn('sleep', ['600'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => guest.once('close', resolve));
  const process_ = identifyProcess(guest.pid ?? 0);
  const gone = await start(1);
  await kill(gone);
  mkdirSync(folder, { recursive: true });
  const note = [
    { id, mem_mib: 14_000, process: process_ },
    { id: null, mem_mib: 9000 },
  ];
  writeFileSync(join(folder, `${gone.pid}-1-0123abcd.json`), JSON.stringify(note));
  const memory = new GuestMemory(totalMib, new MemoryLedger(folder));
  expect(() => memory.reserve(passing(14_000))).toThrow(expect.objectContaining({ code: 'memory_exhausted' }));
  // The next daemon has it from the record of its workspace.
  const next = new GuestMemory(totalMib, new MemoryLedger(folder));
  next.note({ id, memMib: 14_000, idleSeconds: () => 0, process: process_ });
  next.reserve(passing(5000));
  expect(() => memory.reserve(passing(5000))).toThrow(expect.objectContaining({ code: 'memory_exhausted' }));
  memory.reserve(passing(4552))[Symbol.dispose]();
  guest.kill('SIGKILL');
  await ended;
  expect(() => memory.reserve(passing(14_000))).toThrow('14000');
  expect(readdirSync(folder)).not.toContain(`${gone.pid}-1-0123abcd.json`);
});

it('is free again once its holder has given it back or was killed, whatever that has left', async () => {
  const killed = await start(14_000);
  expect(await killed.ask()).toBe('got it');
  await kill(killed);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${process.pid}-1-0123abcd.json`), '[{"id": null, "mem_mib": 99999}]');
  writeFileSync(join(folder, 'something else'), '');
  const memory = new GuestMemory(totalMib, new MemoryLedger(folder));
  const reservation = memory.reserve(passing(14_000));
  const other = await start(14_000);
  expect(await other.ask()).toContain(`process ${process.pid} 14000 MiB`);
  reservation[Symbol.dispose]();
  expect(await other.ask()).toBe('got it');
  expect(readdirSync(folder).filter((name) => name.endsWith('.json'))).toHaveLength(1);
});

it('is at no moment free for others while a guest takes the place of its reservation', () => {
  const memory = new GuestMemory(totalMib, new MemoryLedger(folder));
  const other = new GuestMemory(totalMib, new MemoryLedger(folder));
  const reservation = memory.reserve(passing(14_000));
  reservation[Symbol.dispose]();
  expect(() => other.reserve(passing(14_000))).toThrow('9552 of 23552 MiB are free');
  memory.note(passing(14_000));
  expect(() => other.reserve(passing(14_000))).toThrow('9552 of 23552 MiB are free');
});

it('is asked for by run, demo and prepare before they begin', async () => {
  const machineMib = Math.floor(totalmem() / 2 ** 20);
  const holder = await start(machineMib - 1024 - 512, { total: machineMib });
  expect(await holder.ask()).toBe('got it');
  const paths = {
    cache: join(root, 'cache'),
    state: join(root, 's'),
    config: join(root, 'c'),
    runtime: join(root, 'r'),
  };
  const engine = createLocalEngine(paths, undefined, undefined, () => Promise.reject(new Error('it has begun')));
  const run = runInput.parse({ environment: 'debian:12', command: ['true'], mem_mib: 600 });
  const ways = [
    () => engine.run(run, 1000, call()),
    () => engine.demo('debian:12', call()),
    () => engine.prepare('debian:12', false, call()),
  ];
  for (const way of ways) {
    await expect(way()).rejects.toMatchObject({
      code: 'memory_exhausted',
      message: expect.stringContaining(`process ${holder.pid}`),
    });
  }
  await kill(holder);
  for (const way of ways) await expect(way()).rejects.toThrow('it has begun');
});
