// The calls of a peaceful client, each with a look at what it gives: an answer that is wrong is worse than none.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Random } from '../support/random-tree.ts';
import { probe } from './journal.ts';
import { folder, type Model, same } from './model.ts';
import { type Structure, type ToolClient, ToolFailure } from './tool-client.ts';

export interface Turn {
  readonly client: ToolClient;
  readonly id: string;
  readonly model: Model;
  readonly random: Random;
  /** Folder of the host that tools may read and write */
  readonly outside: string;
}

const ended = z.looseObject({ exit_code: z.number().nullable(), stdout: z.string() });
const entries = z.looseObject({ entries: z.array(z.looseObject({ path: z.string() })) });
const started = z.looseObject({ sequence: z.number() });
const summary = z.looseObject({ markdown: z.string() });
const read = z.looseObject({ content: z.string() });
const state = z.looseObject({ state: z.string() });
const mostSnapshots = 2;

export async function call({ client, id }: Turn, tool: string, args: Structure = {}, name = tool): Promise<Structure> {
  return await client.call(tool, { workspace_id: id, ...args }, { name });
}

async function run(turn: Turn, command: string, name?: string): Promise<string> {
  const { exit_code: code, stdout } = ended.parse(await call(turn, 'workspace_exec', { command }, name));
  same(`the exit code of ${command}`, code, 0);
  return stdout;
}

function words(random: Random): string {
  const lines = 1 + random.next(400);
  return Array.from(
    { length: lines },
    (_, line) => `line ${line}: ${random.next(1_000_000)} some words of a text\n`,
  ).join('');
}

async function write(turn: Turn): Promise<void> {
  const name = turn.model.newName('file');
  const text = words(turn.random);
  await call(turn, 'workspace_file_write', { path: `${folder}/${name}`, text });
  turn.model.write(name, text);
}

async function readBack(turn: Turn): Promise<void> {
  const path = turn.model.paths()[0];
  if (path === undefined) return await write(turn);
  const { content } = read.parse(await call(turn, 'workspace_file_read', { path }));
  same(path, content, turn.model.files.get(path));
}

async function list(turn: Turn): Promise<void> {
  if (turn.model.files.size === 0) return await write(turn);
  const answer = await call(turn, 'workspace_file_list', { path: folder, limit: 1000 });
  const found = entries.parse(answer).entries.map(({ path }) => path.replace('/workspace/', ''));
  same('the list of files', found.sort(), turn.model.paths());
}

async function count(turn: Turn): Promise<void> {
  const stdout = await run(turn, `git status --porcelain -uall ${folder} | wc -l; cat ${folder}/* 2>/dev/null | wc -c`);
  same('what the guest counts', stdout.trim().split('\n').map(Number), [turn.model.files.size, turn.model.bytes()]);
}

async function diff(turn: Turn): Promise<void> {
  const whole = turn.random.next(2) === 0;
  const args = whole ? { max_bytes: 1 << 24, entry_limit: 1000 } : { stat_only: true, entry_limit: 1000 };
  const answer = await call(turn, 'workspace_diff', args);
  same(
    'the list of a diff',
    entries
      .parse(answer)
      .entries.map(({ path }) => path)
      .sort(),
    turn.model.paths(),
  );
  if (!whole) return;
  const { patch } = z.looseObject({ patch: z.string() }).parse(answer);
  const added = patch.split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++')).length;
  const lines = [...turn.model.files.values()].reduce((sum, text) => sum + text.split('\n').length - 1, 0);
  same('the added lines of a patch', added, lines);
}

async function summarize(turn: Turn): Promise<void> {
  const { markdown } = summary.parse(await call(turn, 'workspace_summary'));
  for (const path of turn.model.paths().slice(0, 5)) {
    if (!markdown.includes(path.slice(folder.length + 1))) throw new Error(`the summary does not name ${path}`);
  }
}

async function patch(turn: Turn): Promise<void> {
  const name = turn.model.newName('patched');
  const lines = words(turn.random).trimEnd().split('\n').slice(0, 20);
  const added = lines.map((line) => `+${line}\n`);
  const body = `*** Begin Patch\n*** Add File: ${folder}/${name}\n${added.join('')}*** End Patch\n`;
  await call(turn, 'workspace_patch_apply', { patch: body });
  turn.model.write(name, `${lines.join('\n')}\n`);
}

async function exportAll(turn: Turn): Promise<void> {
  if (turn.model.files.size === 0) return await write(turn);
  const format = turn.random.pick(['files', 'tar', 'patch']);
  const target = join(turn.outside, turn.model.newName('export'));
  await call(turn, 'workspace_export', { path: folder, output_path: target, format });
  if (format === 'files') {
    for (const [path, text] of turn.model.files) {
      same(`the export of ${path}`, readFileSync(join(target, path.slice(folder.length + 1)), 'utf8'), text);
    }
  }
  rmSync(target, { recursive: true });
}

async function push(turn: Turn): Promise<void> {
  const source = join(turn.outside, turn.model.newName('push'));
  const name = turn.model.newName('pushed');
  const text = words(turn.random);
  mkdirSync(source);
  writeFileSync(join(source, name), text);
  await call(turn, 'workspace_sync_push', { source_path: source, dest: folder });
  turn.model.write(name, text);
  rmSync(source, { recursive: true });
}

async function follow(turn: Turn): Promise<void> {
  const command = 'for n in 1 2 3 4 5; do echo $n; sleep 0.2; done';
  const { sequence } = started.parse(await call(turn, 'workspace_exec', { command, wait_seconds: 0 }));
  const waiting = Date.now() + 60_000;
  for (let text = ''; text !== '1\n2\n3\n4\n5\n'; ) {
    if (Date.now() > waiting) throw new Error(`the log of a command of a second is ${JSON.stringify(text)}`);
    const answer = await call(turn, 'workspace_logs', { sequence, stream: 'stdout', cursor: 0, wait_seconds: 1 });
    const schema = z.looseObject({ entries: z.array(z.looseObject({ stdout: z.string().default('') })) });
    text = schema.parse(answer).entries[0]?.stdout ?? '';
  }
}

/** A host that waits no longer: the command goes on, can be found, and ends when it is told to. */
async function cancel(turn: Turn): Promise<void> {
  const { client, id, random } = turn;
  const command = `sleep ${3000 + random.next(1000)}`;
  const signal = AbortSignal.timeout(200 + random.next(600));
  try {
    await client.call('workspace_exec', { workspace_id: id, command }, { signal });
    throw new Error('a command that was cancelled came to its end');
  } catch (error) {
    if (!(error instanceof ToolFailure) || error.code !== 'cancelled') throw error;
  }
  // The cancel may have been quicker than the start, or than the call.
  const commands = z.looseObject({ entries: z.array(z.looseObject({ sequence: z.number(), command: z.string() })) });
  for (const waiting = Date.now() + 3000; Date.now() < waiting; ) {
    const found = commands.parse(await call(turn, 'workspace_logs')).entries.find((each) => each.command === command);
    if (found === undefined) continue;
    const { sequence } = found;
    await call(turn, 'workspace_exec_signal', { sequence, signal_name: 'KILL' });
    const answer = await call(turn, 'workspace_logs', { sequence, stream: 'stdout', cursor: 0, wait_seconds: 30 });
    const [left] = z
      .looseObject({ entries: z.array(z.looseObject({ running: z.boolean().default(false) })) })
      .parse(answer).entries;
    same('whether a killed command runs', left?.running, false);
    return;
  }
}

async function snapshot(turn: Turn): Promise<void> {
  const { model } = turn;
  const [oldest] = model.snapshots.keys();
  if (oldest !== undefined && model.snapshots.size >= mostSnapshots) {
    await call(turn, 'snapshot_delete', { snapshot_name: oldest });
    model.snapshots.delete(oldest);
  }
  const name = model.newName('snapshot');
  await call(turn, 'snapshot_create', { snapshot_name: name });
  model.snapshots.set(name, new Map(model.files));
}

async function reset(turn: Turn): Promise<void> {
  const target = turn.random.pick(['baseline', ...turn.model.snapshots.keys()]);
  await call(turn, 'workspace_reset', { snapshot: target }, target === 'baseline' ? undefined : 'reset to a snapshot');
  turn.model.reset(target);
  await count(turn);
}

async function stopAndStart(turn: Turn): Promise<void> {
  await call(turn, 'workspace_stop');
  const stopped = state.parse(await call(turn, 'workspace_status'));
  same('the state after a stop', stopped.state, 'stopped');
  await call(turn, 'workspace_start');
  await count(turn);
}

/** The chat host ends without a word, with a call under way. */
async function crash(turn: Turn): Promise<void> {
  const tool = turn.random.pick(['workspace_diff', 'workspace_summary']);
  const under = call(turn, tool, {}, 'call of a server that is killed').catch(() => undefined);
  await turn.client.crash();
  await under;
  await count(turn);
}

async function look(turn: Turn): Promise<void> {
  await run(turn, 'true', probe);
}

async function listWorkspaces(turn: Turn): Promise<void> {
  const answer = await turn.client.call('workspace_list', {});
  const { workspaces } = z.looseObject({ workspaces: z.array(z.unknown()) }).parse(answer);
  if (workspaces.length === 0) throw new Error('the list is empty while a workspace is there');
}

export const steps: readonly ((turn: Turn) => Promise<void>)[] = [
  ...[look, look, look, look, write, write, readBack, list, count, diff, diff, summarize, patch, exportAll, push],
  ...[follow, cancel, snapshot, reset, stopAndStart, crash, listWorkspaces],
];
