// Commands against the real agent as a plain process: whoever starts one owns it, however the start and the command end.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GuestClient } from '../../../../src/agent/guest-client.ts';
import { processListSchema } from '../../../../src/agent/messages.ts';
import type { CommandRecord } from '../../../../src/contract/records.ts';
import { CommandLog } from '../../../../src/engine/commands/command-log.ts';
import { CommandRuns } from '../../../../src/engine/commands/command-runs.ts';
import { startLine } from '../../../../src/engine/commands/shell-line.ts';
import { GuestTenants } from '../../../../src/engine/workspace/guest-tenants.ts';
import { SecretSet } from '../../../../src/secrets/secret-set.ts';
import { noLongerWaiting } from '../../../../src/shared/leaving.ts';
import { type PlainAgent, startPlainAgent } from '../../../support/plain-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-commands-'));
const request = { env: {}, cwd: '/', stdin: false, overflow: 'block' as const };
/** More than a guest knows at once */
const manyCommands = 600;
const atOnce = 20;
let agent: PlainAgent;
let log: CommandLog;
let runs: CommandRuns;

beforeAll(async () => {
  agent = await startPlainAgent();
  log = await CommandLog.open(folder);
  runs = new CommandRuns(log);
});
afterAll(async () => {
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(line: string, signal: AbortSignal, client: GuestClient = agent.client) {
  const record = await log.begin(line, '/', undefined);
  const live = { stdin: undefined, show: undefined, left: new AbortController().signal };
  return { record, started: runs.start(record, () => startLine(client, line, request), live, signal) };
}

/** Argument lists of what the guest knows. */
async function known(client: GuestClient = agent.client): Promise<string[]> {
  const { processes } = await client.call('GET', '/v1/processes', undefined, processListSchema);
  return processes.map(({ argv }) => argv.join(' '));
}

/** Waits for what must come, and gives the last look. */
async function eventually<T>(look: () => Promise<T> | T, isThere: (seen: T) => boolean): Promise<T> {
  for (let turn = 0; ; turn++) {
    const seen = await look();
    if (isThere(seen) || turn > 1000) return seen;
    await sleep(20);
  }
}

/** Starts a command whose caller leaves for this reason while the guest has not answered yet. */
async function leaveEarly(line: string, reason: unknown): Promise<CommandRecord> {
  const caller = new AbortController();
  const { record, started } = await start(line, caller.signal);
  setImmediate(() => caller.abort(reason));
  await expect(started).rejects.toBe(reason);
  return record;
}

describe('a command that is cancelled', () => {
  it('while it starts is killed and forgotten, however many there are', async () => {
    const reason = new Error('cancelled');
    const records: CommandRecord[] = [];
    for (let turn = 0; turn < manyCommands / atOnce; turn++) {
      const batch = Array.from({ length: atOnce }, () => leaveEarly('exec sleep 1000', reason));
      records.push(...(await Promise.all(batch)));
      await eventually(
        () => runs.count,
        (count) => count === 0,
      );
    }
    expect(await known()).toEqual([]);
    for (const { sequence } of records) expect(await log.get(sequence)).toMatchObject({ lost: false, exit_code: 137 });
    // The guest takes the next one, and it ends as commands do.
    const { started } = await start('exit 7', new AbortController().signal);
    expect(await (await started).run.done).toMatchObject({ exit_code: 7, lost: false });
  });

  it('after its start is killed and forgotten', async () => {
    const caller = new AbortController();
    const { started } = await start('sleep 1000 & sleep 1000', caller.signal);
    const { run } = await started;
    await run.signal('KILL', 'all');
    expect(await run.done).toMatchObject({ exit_code: 137, lost: false });
    expect(await known()).toEqual([]);
  });
});

describe('a command whose caller leaves', () => {
  it('while it starts runs on, is known, and takes signals', async () => {
    const { sequence } = await leaveEarly('exec sleep 1001', noLongerWaiting('the client went away'));
    expect(runs.count).toBe(1);
    const run = await eventually(
      () => runs.get(sequence),
      (found) => found !== undefined,
    );
    expect(await log.get(sequence)).toMatchObject({ ended_at: null });
    await run?.signal('TERM', 'group');
    expect(await run?.done).toMatchObject({ exit_code: 143, lost: false });
    expect(await known()).toEqual([]);
  });
});

it('a command whose output cannot be kept ends in the guest, and holds up nobody who waits for all commands', async () => {
  const record = await log.begin('sleep 4242', '/', undefined);
  // A folder where its file would be: as with a disk that fails, it cannot be opened.
  rmSync(log.path(record.sequence, 'stderr'), { force: true });
  mkdirSync(log.path(record.sequence, 'stderr'));
  const live = { stdin: undefined, show: undefined, left: new AbortController().signal };
  const starting = runs.start(record, () => startLine(agent.client, 'sleep 4242', request), live, live.left);
  await expect(starting).rejects.toMatchObject({ code: 'EISDIR' });
  expect(runs.count).toBe(0);
  await runs.settle();
  const left = await eventually(known, (lines) => !lines.some((line) => line.includes('4242')));
  expect(left.filter((line) => line.includes('4242'))).toEqual([]);
});

describe('another session', () => {
  it('goes on with what has an owner, and forgets what a daemon started and did not live to note', async () => {
    const signal = new AbortController().signal;
    const place = (name: string): string => join(folder, name);
    const files = { commands: place('c'), shells: place('sh'), services: place('se'), events: place('e') };
    const tenants = await GuestTenants.open(files, new SecretSet([]));
    await using session = await agent.reconnect();
    const record = await tenants.log.begin('exec sleep 1002', '/', undefined);
    const live = { stdin: undefined, show: undefined, left: signal };
    const startProcess = () => startLine(session.client, 'exec sleep 1002', request);
    const { run } = await tenants.runs.start(record, startProcess, live, signal);
    const shell = await tenants.shells.start(session.client, { cwd: '/', cols: 80, rows: 24, env: {} }, signal);
    await session.client.start({ ...request, argv: ['/bin/sleep', '1003'] });
    expect(await known(session.client)).toHaveLength(3);
    await session.client[Symbol.asyncDispose]();
    await using next = await agent.reconnect();
    await tenants.resume(next.client);
    expect(await known(next.client)).toEqual(['/bin/bash -c exec sleep 1002', shell.record.program]);
    await tenants.runs.get(run.sequence)?.signal('KILL', 'all');
    await tenants.shells.close(shell.record.id);
    await tenants.settle();
    expect(await known(next.client)).toEqual([]);
  });
});
