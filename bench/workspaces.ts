// Measures what workspaces cost: operations in the daemon's own code, the MCP server as a process. Medians of 5.

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileWriteInput } from '../src/contract/files.ts';
import { locatePaths } from '../src/system/paths.ts';
import { createRequest, execRequest } from '../test/support/engine.ts';
import { machineFacts } from './facts.ts';
import { openBenchEngine, ratioIn, Watch, writeResults } from './test-engine.ts';

const root = new URL('..', import.meta.url).pathname;
const rounds = 5;
const factsBefore = machineFacts();

const engine = await openBenchEngine();
const { folder, registry, workspaces, call } = engine;
const watch = new Watch();
const { timed } = watch;
let accelerator = 'none';

const create = async (name: string, seedPath?: string): Promise<string> =>
  (await timed(name, () => workspaces.create({ ...createRequest, seed_path: seedPath }, call))).workspace_id;

/** Guests that are saved with their project, for the next workspace of the same files. */
async function savedProjects(): Promise<string[]> {
  const names = await readdir(join(locatePaths().cache, 'templates'));
  return names.filter((name) => name.startsWith('p') && !name.includes('.partial-'));
}

/** A saved guest is made while nobody waits: here somebody does, before it is measured. */
async function untilSaved(before: readonly string[]): Promise<void> {
  for (let turn = 0; turn < 600; turn++) {
    if ((await savedProjects()).some((name) => !before.includes(name))) return;
    await sleep(100);
  }
  throw new Error('the guest with the project was not saved');
}

const run = async (id: string, command: string): Promise<void> => {
  const { exit_code: code, stderr } = await workspaces.exec({ ...execRequest, workspace_id: id, command }, call);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
};

const diff = (id: string): Promise<unknown> =>
  workspaces.diff(
    {
      workspace_id: id,
      stat_only: false,
      base: 'baseline',
      system: false,
      include_ignored: false,
      max_file_bytes: 0,
      max_bytes: 1 << 28,
      entry_limit: 1000,
    },
    call,
  );

function git(cwd: string, ...args: string[]): void {
  const settings = ['-c', 'user.name=B', '-c', 'user.email=b@localhost', '-c', 'commit.gpgSign=false'];
  const { status, stderr } = spawnSync('git', [...settings, ...args], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** A checkout of so many files of 8 KiB, half of it text and half of it noise, in folders of 50. */
function makeCheckout(name: string, count: number): string {
  const path = join(folder, name);
  for (let number = 0; number < count; number++) {
    const inner = join(path, `part-${Math.floor(number / 50)}`);
    if (number % 50 === 0) mkdirSync(inner, { recursive: true });
    const text = Array.from({ length: 100 }, (_, line) => `line ${line} of file ${number}: some words of a text`).join(
      '\n',
    );
    writeFileSync(
      join(inner, `file-${number}.txt`),
      Buffer.concat([Buffer.from(text.slice(0, 4096)), randomBytes(4096)]),
    );
  }
  git(path, 'init', '-q', '-b', 'main');
  git(path, 'add', '-A');
  git(path, 'commit', '-q', '-m', 'first');
  // As a clone is: one pack, not a file for each object.
  git(path, 'repack', '-a', '-d', '-q');
  return path;
}

const readRequest = {
  path: 'part-0/file-1.txt',
  max_bytes: 65_536,
};

/** From the start of the server's process to the answer to tools/list. */
async function toolsList(): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'dist', 'main.js'), 'mcp', 'serve'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const send = (message: object): void => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
  let text = '';
  const listed = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('"id":2')) resolve();
    });
  });
  send({ id: 1, method: 'initialize', params });
  send({ method: 'notifications/initialized' });
  send({ id: 2, method: 'tools/list' });
  await timed('tools_list_ms', () => listed);
  child.stdin.end();
  await new Promise((resolve) => child.once('exit', resolve));
}

async function bareNode(): Promise<void> {
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await timed('bare_node_ms', () => new Promise((resolve) => child.once('exit', resolve)));
}

async function measure(): Promise<void> {
  // Whatever is made once on a machine is made before.
  await workspaces.delete({ workspace_id: await create('warm_up_ms'), force: true, dry_run: false }, call);
  const small = makeCheckout('small', 5);
  const large = makeCheckout('large', 5000);
  const beforeFew = await savedProjects();
  const few = await create('warm_up_ms', small);
  await untilSaved(beforeFew);
  accelerator = registry.get(few).record.guest?.accelerator ?? accelerator;
  for (let round = 0; round < rounds; round++) {
    const checkout = join(folder, `large-${round}`);
    cpSync(large, checkout, { recursive: true });
    writeFileSync(join(checkout, 'own'), `round ${round}\n`);
    // A copy has other inodes than its index says, which git puts right at the first look, as it does after a clone.
    git(checkout, 'status');
    const before = await savedProjects();
    await workspaces.delete(
      { workspace_id: await create('create_large_first_ms', checkout), force: true, dry_run: false },
      call,
    );
    const soon = await create('create_large_at_once_ms', checkout);
    await timed('git_status_at_once_ms', () => run(soon, 'git status >/dev/null'));
    await workspaces.delete({ workspace_id: soon, force: true, dry_run: false }, call);
    await untilSaved(before);
    // Side by side, since the machine's own speed changes within minutes.
    for (let turn = 0; turn < 3; turn++) {
      await workspaces.delete({ workspace_id: await create('create_empty_ms'), force: true, dry_run: false }, call);
      await workspaces.delete(
        { workspace_id: await create('create_large_second_ms', checkout), force: true, dry_run: false },
        call,
      );
    }
    const id = await create('create_large_second_ms', checkout);
    await timed('git_status_first_ms', () => run(id, 'git status >/dev/null'));
    await timed('git_status_second_ms', () => run(id, 'git status >/dev/null'));
    await diff(id);
    await timed('diff_unchanged_5000_ms', () => diff(id));
    await diff(few);
    await timed('diff_unchanged_5_ms', () => diff(few));
    await timed('exec_true_ms', () => run(id, 'true'));
    await operations(id);
    if (round === 0) await beside(id);
    await timed('reset_ms', () => workspaces.reset({ workspace_id: id, snapshot: 'baseline' }, call));
    await workspaces.delete({ workspace_id: id, force: true, dry_run: false }, call);
    rmSync(checkout, { recursive: true, force: true });
  }
  for (let round = 0; round < rounds * 2; round++) {
    await toolsList();
    await bareNode();
  }
}

/** Short calls while a command uses up the guest's only processor for 6 s. */
async function beside(id: string): Promise<void> {
  const long = run(id, "timeout 6 sh -c 'while :; do :; done'; true");
  for (let turn = 0; turn < 5; turn++) {
    await timed('exec_true_beside_6s_ms', () => run(id, 'true'));
    await timed('file_read_beside_6s_ms', () => workspaces.fileRead({ ...readRequest, workspace_id: id }, call));
    await sleep(200);
  }
  await long;
}

async function operations(id: string): Promise<void> {
  const write = {
    path: 'part-0/file-2.txt',
    text: 'a\n'.repeat(2048),
  };
  const client = registry.get(id).guest?.client;
  await client?.thaw();
  await workspaces.fileRead({ ...readRequest, workspace_id: id }, call);
  // Nothing is frozen, so this call does nothing in the guest.
  for (let turn = 0; turn < 5; turn++) {
    await timed('channel_empty_call_ms', async () => await client?.thaw());
    await timed('file_read_ms', () => workspaces.fileRead({ ...readRequest, workspace_id: id }, call));
  }
  await timed('file_write_ms', () => workspaces.fileWrite(fileWriteInput.parse({ ...write, workspace_id: id }), call));
  await run(id, 'for n in 3 4 5 6 7 8 9 10 11; do echo more >> part-0/file-$n.txt; done');
  await timed('diff_10_changed_ms', () => diff(id));
}

try {
  await measure();
} finally {
  await engine[Symbol.asyncDispose]();
}

watch.times.delete('warm_up_ms');
const medians = watch.medians(1);
const ratio = (above: string, below: string): number => ratioIn(medians, above, below);
const results = {
  machine: factsBefore,
  accelerator,
  rounds,
  ...medians,
  ratios: {
    tools_list_to_bare_node: ratio('tools_list_ms', 'bare_node_ms'),
    diff_5000_to_diff_5: ratio('diff_unchanged_5000_ms', 'diff_unchanged_5_ms'),
    at_once_create_to_create_empty: ratio('create_large_at_once_ms', 'create_empty_ms'),
    second_create_to_create_empty: ratio('create_large_second_ms', 'create_empty_ms'),
    file_read_to_empty_call: ratio('file_read_ms', 'channel_empty_call_ms'),
    exec_true_beside_to_6s: Number(((medians['exec_true_beside_6s_ms'] ?? 0) / 6000).toFixed(3)),
    file_read_beside_to_6s: Number(((medians['file_read_beside_6s_ms'] ?? 0) / 6000).toFixed(3)),
    first_git_status_to_second: ratio('git_status_first_ms', 'git_status_second_ms'),
  },
};
await writeResults(accelerator, 'workspaces', results);
