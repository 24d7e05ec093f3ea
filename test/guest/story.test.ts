// What agents do most, from end to end: a real server process, a real daemon, a real guest, and both kinds of client.
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { dirty, gitIn, makeHairyRepository } from '../support/hairy-repository.ts';
import { handshake, openClient, rawClient } from '../support/mcp.ts';
import { describeTree } from '../support/random-tree.ts';
import { nothing, openRealHome, type RealHome } from '../support/real-home.ts';

/** A tool call: its structure, or the text of its failure as an error. */
type Call = (name: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal) => Promise<unknown>;

interface Host {
  readonly call: Call;
  readonly ping: () => Promise<void>;
  /** Ends the server by SIGTERM, and comes back when it has ended */
  readonly terminate: () => Promise<void>;
}

const resultSchema = z.looseObject({
  isError: z.boolean().optional(),
  structuredContent: z.unknown().optional(),
  content: z.unknown().optional(),
});

function structureOf(result: unknown): unknown {
  const { isError, structuredContent, content } = resultSchema.parse(result);
  if (isError === true) throw new Error(JSON.stringify(content));
  return structuredContent;
}

let home: RealHome;
let folder = '';
let project = '';
/** Servers that a failed story left behind are ended, so that its leftovers are those of pyro. */
let servers: (() => Promise<void>)[] = [];

beforeEach(() => {
  servers = [];
  home = openRealHome();
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'pyro-story-')));
  project = join(folder, 'project');
  makeHairyRepository(project);
  dirty(project);
});

afterEach(async () => {
  for (const end of servers.splice(0)) await end();
  expect(await home.close()).toEqual(nothing);
  rmSync(folder, { recursive: true, force: true });
});

async function officialHost(): Promise<Host> {
  const { client } = await openClient({
    command: home.executable,
    args: ['mcp', 'serve'],
    env: home.env,
    cwd: project,
  });
  const { transport } = client;
  const pid = z.object({ pid: z.number() }).parse(transport).pid;
  servers.push(() => client.close());
  return {
    call: async (name, args, signal) =>
      structureOf(
        await client.callTool(
          { name, arguments: { ...args } },
          { timeout: 600_000, ...(signal === undefined ? {} : { signal }) },
        ),
      ),
    ping: async () => {
      await client.ping();
    },
    terminate: async () => {
      const closed = new Promise<void>((resolve) => {
        client.onclose = resolve;
      });
      process.kill(pid, 'SIGTERM');
      await closed;
    },
  };
}

async function rawHost(): Promise<Host> {
  const child: ChildProcess = home.start(['mcp', 'serve'], project);
  const raw = rawClient(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  servers.push(async () => {
    child.stdin?.end();
    await ended;
  });
  const answer = await handshake(raw);
  expect(answer.result).toMatchObject({ protocolVersion: '2025-06-18' });
  let last = 1;
  return {
    call: async (name, args, signal) => {
      const id = ++last;
      signal?.addEventListener('abort', () =>
        raw.send({ method: 'notifications/cancelled', params: { requestId: id, reason: 'enough' } }),
      );
      const cancelled = new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('cancelled')));
      });
      const request = raw.request(id, 'tools/call', { name, arguments: args });
      const { result, error } = await (signal === undefined ? request : Promise.race([request, cancelled]));
      if (error !== undefined) throw new Error(error.message);
      return structureOf(result);
    },
    ping: async () => {
      expect((await raw.request(++last, 'ping')).result).toEqual({});
    },
    terminate: async () => {
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      expect(raw.rubbish).toEqual([]);
    },
  };
}

/** The seed as it went in: without what Git ignores. */
function seedCopy(name: string): string {
  const copy = join(folder, name);
  cpSync(project, copy, { recursive: true, verbatimSymlinks: true });
  for (const ignored of ['ignored', '.env', 'debug.log']) rmSync(join(copy, ignored), { recursive: true });
  return copy;
}

async function workOn({ call }: Host, id: string): Promise<void> {
  const status = await call('workspace_exec', { workspace_id: id, command: 'git status --porcelain=v2 --branch' });
  expect(status).toMatchObject({ exit_code: 0, stdout: gitIn(project, 'status', '--porcelain=v2', '--branch') });
  const secret = await call('workspace_exec', { workspace_id: id, command: 'cat .env' });
  expect(secret).toMatchObject({ exit_code: 1, stdout: '' });
  expect(await call('workspace_file_read', { workspace_id: id, path: 'staged.txt' })).toMatchObject({
    content: 'and then again\n',
  });
  expect(await call('workspace_diff', { workspace_id: id })).toMatchObject({ changed: false, patch: '' });
  await call('workspace_file_write', { workspace_id: id, path: 'staged.txt', old_text: 'again', new_text: 'at last' });
  await call('workspace_file_write', { workspace_id: id, path: 'made/new.txt', text: 'no end' });
  const ours = seedCopy('ours');
  gitIn(ours, 'add', '-A');
  gitIn(ours, 'mv', 'crlf.txt', 'renamed.txt');
  gitIn(ours, 'rm', '-q', '-f', 'binary.bin');
  const patch = gitIn(ours, 'diff', '--binary', '-M', '--cached', '--', 'crlf.txt', 'renamed.txt', 'binary.bin');
  expect(patch).toContain('rename to renamed.txt');
  expect(await call('workspace_patch_apply', { workspace_id: id, patch })).toMatchObject({ changed: true });
}

async function bringHome({ call }: Host, id: string): Promise<void> {
  const diff = z
    .object({ patch: z.string(), next_cursor: z.number().nullable(), entries: z.array(z.object({ path: z.string() })) })
    .parse(await call('workspace_diff', { workspace_id: id, max_bytes: 1_000_000 }));
  expect(diff.next_cursor).toBeNull();
  expect(diff.entries.map(({ path }) => path).sort()).toEqual(
    ['binary.bin', 'made/new.txt', 'renamed.txt', 'staged.txt'].sort(),
  );
  const output = join(project, 'exported');
  await call('workspace_export', { workspace_id: id, output_path: output });
  await expect(call('workspace_export', { workspace_id: id, output_path: join(folder, 'out') })).rejects.toThrow(
    /path_refused/,
  );
  const exported = describeTree(output);
  rmSync(output, { recursive: true });
  const applied = seedCopy('applied');
  const file = join(folder, 'patch');
  await call('workspace_export', {
    workspace_id: id,
    output_path: join(project, 'ignored', 'work.patch'),
    format: 'patch',
  });
  cpSync(join(project, 'ignored', 'work.patch'), file);
  gitIn(applied, 'apply', '--binary', file);
  expect(describeTree(applied)).toEqual(exported);
}

async function keepsAnswering({ call, ping }: Host, id: string): Promise<void> {
  const long = call('workspace_exec', { workspace_id: id, command: 'sleep 6; echo slept' });
  const took: number[] = [];
  const others: (() => Promise<unknown>)[] = [
    ping,
    () => call('workspace_exec', { workspace_id: id, command: 'true' }),
    () => call('workspace_file_read', { workspace_id: id, path: 'staged.txt' }),
  ];
  for (const other of others) {
    const startedAt = performance.now();
    await other();
    took.push(performance.now() - startedAt);
  }
  // A tenth of the time is what is promised of a quiet machine; a blocked call would take all of it.
  expect(Math.max(...took)).toBeLessThan(3000);
  expect(await long).toMatchObject({ exit_code: 0, stdout: 'slept\n' });
}

/** Without a sequence the logs wait for all that runs, and no longer than they were asked to. */
async function waitsForWhatRuns({ call }: Host, id: string): Promise<void> {
  const start = async (command: string): Promise<number> =>
    z
      .object({ sequence: z.number(), running: z.literal(true) })
      .parse(await call('workspace_exec', { workspace_id: id, command, wait_seconds: 0 })).sequence;
  const first = await start('sleep 2; echo one');
  const second = await start('sleep 3; echo two; exit 3');
  expect(await call('workspace_logs', { workspace_id: id, wait_seconds: 40, limit: 2 })).toMatchObject({
    entries: [
      { sequence: first, exit_code: 0, stdout: 'one\n', running: false },
      { sequence: second, exit_code: 3, stdout: 'two\n', running: false },
    ],
  });
  const endless = await start('sleep 4998');
  const shown = await call('workspace_logs', { workspace_id: id, wait_seconds: 0.5, limit: 1 });
  expect(shown).toMatchObject({ entries: [{ sequence: endless, running: true }] });
  await call('workspace_exec_signal', { workspace_id: id, sequence: endless, signal_name: 'KILL' });
  const ended = await call('workspace_logs', { workspace_id: id, wait_seconds: 40, limit: 1 });
  expect(ended).toMatchObject({ entries: [{ sequence: endless, running: false }] });
}

async function cancels({ call }: Host, id: string): Promise<void> {
  const count = async (): Promise<string> =>
    z
      .object({ stdout: z.string() })
      .parse(await call('workspace_exec', { workspace_id: id, command: 'pgrep -cfx "sleep 4999"' })).stdout;
  const stop = new AbortController();
  const doomed = call('workspace_exec', { workspace_id: id, command: 'sleep 4999 & sleep 4999; wait' }, stop.signal);
  doomed.catch(() => undefined);
  while ((await count()) !== '2\n') await sleep(100);
  stop.abort('enough');
  await expect(doomed).rejects.toThrow();
  // A host cancels when it has lost patience, too: the command goes on until a call ends it.
  expect(await count()).toBe('2\n');
  const { entries } = z
    .object({ entries: z.array(z.object({ sequence: z.number(), running: z.boolean() })) })
    .parse(await call('workspace_logs', { workspace_id: id }));
  for (const { sequence, running } of entries) {
    if (running) await call('workspace_exec_signal', { workspace_id: id, sequence, signal_name: 'KILL' });
  }
  for (let turn = 0; turn < 50 && (await count()) !== '0\n'; turn++) await sleep(100);
  expect(await count()).toBe('0\n');
}

async function startsOver({ call }: Host, id: string): Promise<void> {
  const summary = await call('workspace_summary', { workspace_id: id });
  expect(summary).toMatchObject({ markdown: expect.stringContaining('staged.txt') });
  await call('workspace_reset', { workspace_id: id });
  expect(await call('workspace_diff', { workspace_id: id })).toMatchObject({ changed: false, patch: '' });
  expect(await call('workspace_file_read', { workspace_id: id, path: 'staged.txt' })).toMatchObject({
    content: 'and then again\n',
  });
}

it.each([
  ['the official client', officialHost],
  ['a raw client of revision 2025-06-18', rawHost],
])('%s works in a workspace of the checkout that it stands in', async (_name, openHost) => {
  const host = await openHost();
  const created = z
    .looseObject({ workspace_id: z.string() })
    .parse(await host.call('workspace_create', { name: 'story' }));
  const id = created.workspace_id;
  expect(created['workspace_seed']).toMatchObject({ mode: 'git', origin_kind: 'cwd', seed_path: project, dirty: true });
  await workOn(host, id);
  await bringHome(host, id);
  await keepsAnswering(host, id);
  await waitsForWhatRuns(host, id);
  await cancels(host, id);
  await startsOver(host, id);
  const startedAt = performance.now();
  await host.terminate();
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(await home.list()).toMatchObject([{ workspace_id: id, name: 'story', state: 'started' }]);
  const next = await openHost();
  expect(await next.call('workspace_delete', { workspace_id: id })).toMatchObject({ deleted: true });
  expect(await home.list()).toEqual([]);
  await next.terminate();
});
