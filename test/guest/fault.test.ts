// Kill -9 of the front (a command or the MCP server), the daemon or QEMU at a random moment of every operation: nothing is lost, half-made or leaked.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { isRunning, processIdentitySchema } from '../../src/system/processes.ts';
import { type FaultOperation, faultOperations, prepareCommand, showCommand } from '../support/fault-operations.ts';
import { isAlive } from '../support/kill.ts';
import { handshake, rawClient } from '../support/mcp.ts';
import { Random } from '../support/random-tree.ts';
import { guestsOf, nothing, openRealHome, outputOf, type RealHome } from '../support/real-home.ts';

const isSoak = process.env['PYRO_SOAK'] === '1';
const rounds = Number(process.env['PYRO_ROUNDS'] ?? (isSoak ? 100 : 10));
const seed = Number(process.env['PYRO_SEED'] ?? Date.now() % 1_000_000);
const victims = ['front', 'server', 'daemon', 'guest'] as const;
type Victim = (typeof victims)[number];

const createdSchema = z.object({ workspace_id: z.string() });
const execSchema = z.object({ stdout: z.string(), exit_code: z.number() });
const toolSchema = z.object({ isError: z.boolean().default(false), structuredContent: z.unknown() });
const recordSchema = z.object({
  state: z.string(),
  disk: z.string(),
  layers: z.record(z.string(), z.string().nullable()),
  guest: z.object({ process: processIdentitySchema, folder: z.string() }).nullable(),
});

let home: RealHome;
let folder = '';
/** The workspace that operations work on */
let base = '';

beforeAll(() => {
  home = openRealHome();
  folder = mkdtempSync(join(tmpdir(), 'pyro-fault-'));
});

afterAll(async () => {
  const remains = await home.close();
  rmSync(folder, { recursive: true, force: true });
  expect(remains).toEqual(nothing);
});

const create = async (): Promise<string> =>
  (await home.json(createdSchema, 'workspace', 'create', 'debian:12', '--empty', '--json')).workspace_id;

const show = async (id: string, command: string): Promise<string> =>
  (await home.json(execSchema, 'workspace', 'exec', id, '--json', '--', command)).stdout;

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the operation and kills the victim within the time that it takes. */
async function runAndKill(operation: FaultOperation, victim: Victim, delayMs: number, round: number): Promise<Outcome> {
  const daemon = await home.daemonPid();
  const front = victim === 'server' ? await callTool(operation, round) : runCommand(operation, round);
  // The time itself is what is tried.
  await sleep(delayMs);
  const guests = guestsOf(home.folder);
  const pids = { front: front.pid, server: front.pid, daemon, guest: guests[round % guests.length] };
  const pid = front.hasEnded() && victim === 'front' ? undefined : pids[victim];
  // One that has ended in between is no failure: the moment was a late one.
  if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
  return await front.outcome;
}

interface Front {
  readonly pid: number | undefined;
  readonly hasEnded: () => boolean;
  readonly outcome: Promise<Outcome>;
}

function runCommand(operation: FaultOperation, round: number): Front {
  const args = [...operation.args({ id: base, round, folder })];
  // Before the command of an exec, which ends the options.
  args.splice(args.includes('--') ? args.indexOf('--') : args.length, 0, '--json');
  const child: ChildProcess = home.start(args);
  child.stdin?.end();
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    pid: child.pid,
    hasEnded: () => child.exitCode !== null,
    outcome: ended.then((code) => ({ code, output })),
  };
}

/** The operation as a call to a server of its own, which has answered before; its end is the end of the call. */
async function callTool(operation: FaultOperation, round: number): Promise<Front> {
  const flags = ['--profile', 'workspace-full', '--no-project-source', '--allow-path', folder];
  const child = home.start(['mcp', 'serve', ...flags]);
  const client = rawClient(child);
  await handshake(client);
  let answered: Outcome | undefined;
  void client.request(2, 'tools/call', operation.tool({ id: base, round, folder })).then(({ result }) => {
    const { isError, structuredContent } = toolSchema.parse(result);
    answered = { code: isError ? 1 : 0, output: JSON.stringify(structuredContent) };
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    pid: child.pid,
    hasEnded: () => answered !== undefined,
    outcome: ended.then(() => answered ?? { code: null, output: '' }),
  };
}

/** How long the operation takes when nothing is killed, `ms`. Leaves what a killed one leaves. */
async function rehearse(operation: FaultOperation, round: number): Promise<number> {
  const startedAt = performance.now();
  const { code, output } = await runCommand(operation, round).outcome;
  const tookMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${operation.name} ended with ${code}: ${output}`);
  if (operation.name === 'create') {
    const { workspace_id: id } = createdSchema.parse(JSON.parse(output));
    await home.json(z.unknown(), 'workspace', 'delete', id, '--json');
  }
  if (operation.name === 'delete') base = '';
  return tookMs;
}

/** A workspace in which the operation can begin. */
async function prepare(operation: FaultOperation, round: number): Promise<void> {
  if (base === '') base = await create();
  await home.json(z.unknown(), 'workspace', 'start', base, '--json');
  await show(base, prepareCommand(round));
  if (operation.name === 'start') await home.json(z.unknown(), 'workspace', 'stop', base, '--json');
}

/** What this machine needs now for a command that does nothing, `ms`: other work may make everything slow. */
async function paceMs(): Promise<number> {
  const startedAt = performance.now();
  await outputOf(home.start(['--version']));
  return performance.now() - startedAt;
}

/** The list, by a daemon that is there or by one that has to be started: the quickest of so many tries, where other work is in the way. */
async function timedList(limitMs: number, tries: number): Promise<Set<string>> {
  let listed: Awaited<ReturnType<RealHome['list']>> = [];
  for (let turn = 1, overMs = 1; overMs > 0; turn++) {
    const pace = await paceMs();
    const startedAt = performance.now();
    listed = await home.list();
    overMs = performance.now() - startedAt - limitMs - (isSoak ? 0 : 4 * pace);
    if (turn === tries) expect(overMs).toBeLessThanOrEqual(0);
  }
  expect(listed.filter(({ state }) => state === 'damaged')).toEqual([]);
  return new Set(listed.map(({ workspace_id: id }) => id));
}

/** Guests, sockets, folders and layers are those that the records name, and no more. */
function leaks(ids: ReadonlySet<string>): string[] {
  const workspaces = join(home.folder, 'state', 'workspaces');
  const found: string[] = [];
  const guests = new Set(guestsOf(home.folder));
  const sockets = new Set(readdirSync(join(home.folder, 'run')).filter((name) => name !== 'daemon.sock'));
  for (const name of readdirSync(workspaces)) if (!ids.has(name)) found.push(`folder ${name}`);
  for (const id of ids) {
    const record = recordSchema.parse(JSON.parse(readFileSync(join(workspaces, id, 'workspace.json'), 'utf8')));
    if (record.guest !== null && isRunning(record.guest.process)) {
      guests.delete(record.guest.process.pid);
      sockets.delete(record.guest.folder);
    }
    const layers = readdirSync(join(workspaces, id)).filter((name) => name.startsWith('disk-'));
    for (const layer of layers) if (!(layer in record.layers)) found.push(`layer ${id}/${layer}`);
    for (const layer of Object.keys(record.layers)) if (!layers.includes(layer)) found.push(`lost ${id}/${layer}`);
    for (const name of readdirSync(join(workspaces, id))) {
      if (name === 'ram' || name.includes('.json.')) found.push(`file ${id}/${name}`);
    }
  }
  for (const guest of guests) found.push(`guest ${guest}`);
  for (const name of sockets) found.push(`sockets ${name}`);
  for (const name of readdirSync(join(home.folder, 'state'))) {
    if (name.includes('.lock') && name !== 'daemon.lock') found.push(`lock ${name}`);
  }
  return found;
}

/** Waits for what goes on behind an answer, such as the making of a template after a stop. */
async function noLeaks(ids: ReadonlySet<string>): Promise<void> {
  for (let turn = 0; turn < 900 && leaks(ids).length > 0; turn++) await sleep(100);
  expect(leaks(ids)).toEqual([]);
}

async function afterwards(operation: FaultOperation, victim: Victim, outcome: Outcome, round: number): Promise<void> {
  await timedList(10_000, 1);
  const ids = await timedList(1000, 3);
  await noLeaks(ids);
  const others = [...ids].filter((id) => id !== base);
  if (operation.name === 'create') {
    const told = outcome.code === 0 ? createdSchema.parse(JSON.parse(outcome.output)).workspace_id : undefined;
    if (told !== undefined) expect(others).toEqual([told]);
    // One whose creation nobody heard of is as good as any other.
    expect(others.length).toBeLessThanOrEqual(1);
  } else expect(others).toEqual([]);
  for (const id of others) {
    expect(await show(id, 'echo usable; ls -a /workspace | wc -l')).toBe('usable\n2\n');
    await home.json(z.unknown(), 'workspace', 'delete', id, '--json');
  }
  if (operation.name === 'delete' && outcome.code === 0) expect(ids.has(base)).toBe(false);
  if (!ids.has(base)) {
    expect(operation.name).toBe('delete');
    base = '';
    return;
  }
  await home.json(z.unknown(), 'workspace', 'start', base, '--json');
  const files = await show(base, showCommand);
  expect(operation.allowed(round, victim === 'guest')).toContain(files);
  await noLeaks(new Set([base]));
}

it(`loses nothing in ${rounds} rounds of seed ${seed}`, { timeout: rounds * 120_000 }, async () => {
  const random = new Random(seed);
  const order = Array.from({ length: rounds }, (_, index) => ({
    operation: faultOperations[(index + seed) % faultOperations.length],
    // Each operation meets another victim in the next ten rounds, so forty try every pair.
    victim: victims[(index + Math.floor(index / faultOperations.length) + seed) % victims.length] ?? 'front',
  }));
  const times = new Map<string, number>();
  let cutShort = 0;
  for (const [round, { operation, victim }] of order.entries()) {
    if (operation === undefined) continue;
    if (!times.has(operation.name)) {
      await prepare(operation, rounds + round);
      times.set(operation.name, await rehearse(operation, rounds + round));
    }
    await prepare(operation, round);
    // The first third of a command's time is the start of its process, which a server has behind it.
    const tookMs = times.get(operation.name) ?? 0;
    const delayMs = Math.round(tookMs * ((victim === 'server' ? 0 : 0.3) + random.next(600) / 1000));
    const words = `PYRO_SEED=${seed} round ${round}: ${operation.name}, kill -9 of the ${victim} after ${delayMs} ms`;
    const outcome = await runAndKill(operation, victim, delayMs, round);
    if (outcome.code !== 0) cutShort++;
    process.stderr.write(`${words}: ended with ${outcome.code}\n`);
    try {
      await afterwards(operation, victim, outcome, round);
    } catch (cause) {
      throw new Error(`${words}, ended with ${outcome.code} ${outcome.output}`, { cause });
    }
  }
  // Kills that all come too late would try nothing.
  expect(cutShort).toBeGreaterThanOrEqual(rounds / 10);
});
