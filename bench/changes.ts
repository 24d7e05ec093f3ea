// Measures changes at size: a diff of one line beside a new file of 3 GiB, and one of very many new files, held against Git's own in the guest.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequest, execRequest } from '../test/support/engine.ts';
import { machineFacts } from './facts.ts';
import { openBenchEngine, ratioIn, Watch, writeResults } from './test-engine.ts';

const rounds = 5;
/** Making the files takes a minute each time where the guest is emulated */
const roundsOfMany = 1;
const newFiles = 30_000;
const longestSeconds = 3600;
const factsBefore = machineFacts();

await using engine = await openBenchEngine();
const { folder, registry, workspaces, call } = engine;
const watch = new Watch();
const { timed } = watch;

async function run(id: string, command: string): Promise<void> {
  const request = { ...execRequest, command, timeout_seconds: longestSeconds, wait_seconds: longestSeconds };
  const { exit_code: code, stderr } = await workspaces.exec({ ...request, workspace_id: id }, call);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
}

const diff = (id: string, stat_only: boolean): Promise<unknown> =>
  workspaces.diff(
    {
      workspace_id: id,
      stat_only,
      base: 'baseline',
      system: false,
      include_ignored: false,
      // As over MCP, where a large file is named and not in the patch.
      max_file_bytes: 16 * 1024 * 1024,
      max_bytes: 7000,
      entry_limit: 1000,
    },
    call,
  );

function makeCheckout(): string {
  const path = join(folder, 'checkout');
  mkdirSync(path);
  writeFileSync(join(path, 'a.txt'), 'one\n');
  const settings = ['-c', 'user.name=B', '-c', 'user.email=b@localhost', '-c', 'commit.gpgSign=false'];
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    ['commit', '-q', '-m', 'first'],
  ]) {
    const { status, stderr } = spawnSync('git', [...settings, ...args], { cwd: path, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }
  return path;
}

const checkout = makeCheckout();
const create = async (): Promise<string> =>
  (await workspaces.create({ ...createRequest, seed_path: checkout }, call)).workspace_id;

const one = await create();
const accelerator = registry.get(one).record.guest?.accelerator ?? 'none';
await run(one, 'echo two >> a.txt');
await diff(one, false);
for (let round = 0; round < rounds; round++) {
  await timed('diff_one_line_ms', () => diff(one, false));
  await timed('list_one_line_ms', () => diff(one, true));
  // Any new file has the rules of what is ignored read; what is left is what its size costs.
  await run(one, 'echo small > small; sync');
  await timed('diff_one_line_beside_6_bytes_ms', () => diff(one, false));
  await timed('list_one_line_beside_6_bytes_ms', () => diff(one, true));
  await run(one, 'rm small; fallocate -l 3G large; sync');
  await timed('diff_one_line_beside_3_gib_ms', () => diff(one, false));
  await timed('list_one_line_beside_3_gib_ms', () => diff(one, true));
  await run(one, 'rm large; sync');
}
await workspaces.delete({ workspace_id: one, force: true, dry_run: false }, call);

for (let round = 0; round < roundsOfMany; round++) {
  const many = await create();
  await run(many, `mkdir n; cd n; seq 1 ${newFiles} | awk '{f="f"$1; print $1 > f; close(f)}'; sync`);
  await timed('diff_30000_new_ms', () => diff(many, false));
  await timed('list_30000_new_ms', () => diff(many, true));
  await timed('git_in_guest_30000_new_ms', () => run(many, 'git add -A && git diff --cached > /tmp/patch'));
  await workspaces.delete({ workspace_id: many, force: true, dry_run: false }, call);
}

const medians = watch.medians(0);
const ratio = (above: string, below: string): number => ratioIn(medians, above, below);
await writeResults(accelerator, 'changes', {
  machine: factsBefore,
  accelerator,
  rounds,
  rounds_of_many: roundsOfMany,
  ...medians,
  ratios: {
    diff_beside_3_gib_to_without: ratio('diff_one_line_beside_3_gib_ms', 'diff_one_line_ms'),
    diff_beside_3_gib_to_beside_6_bytes: ratio('diff_one_line_beside_3_gib_ms', 'diff_one_line_beside_6_bytes_ms'),
    list_beside_3_gib_to_without: ratio('list_one_line_beside_3_gib_ms', 'list_one_line_ms'),
    diff_30000_new_to_git_in_guest: ratio('diff_30000_new_ms', 'git_in_guest_30000_new_ms'),
  },
});
