// Calls of all operations with random inputs, several at once: each is answered, or refused by an error that is ours.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { OperationContext } from '../../src/operations/define.ts';
import { forgiveInput } from '../../src/operations/forgive-input.ts';
import { operations } from '../../src/operations/index.ts';
import { PyroError, reportError } from '../../src/shared/errors.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { RandomCalls } from '../support/random-calls.ts';
import { openStandInEngine } from '../support/stand-in-engine.ts';

const isWhole = process.env['PYRO_SOAK'] === '1';
const wanted = Number(process.env['RANDOM_CALLS'] ?? (isWhole ? 100_000 : 1000));
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const lanes = 6;
/** A call that has no answer by then hangs, `ms` */
const longestMs = 180_000;
/** Few of them, since each takes the time of many others; without any, nothing else happens */
const rare: readonly string[] = [
  'workspace.create',
  'vm.create',
  'vm.run',
  'workspace.reset',
  'workspace.prune',
  'workspace.delete',
  'vm.delete',
  'vm.reap_expired',
  'workspace.start',
  'workspace.stop',
  'vm.start',
  'vm.stop',
];

it(`${wanted} random calls find no fault of ours`, { timeout: isWhole ? 7_200_000 : 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pr-'));
  mkdirSync(join(folder, 'in'));
  writeFileSync(join(folder, 'in', 'a'), 'a file of the host\n');
  await using engine = await openStandInEngine(1_000_000);
  const mine = operations.filter(({ definition }) => definition.place === 'daemon' && definition.name !== 'env.pull');
  const usual = new RandomCalls(mine, seed, folder);
  const faults = new Map<string, string>();
  const outcomes = new Map<string, number>();
  let made = 0;
  let creating = 0;
  const workspaces = (): number => usual.alive.size + creating;
  const context = (signal: AbortSignal): OperationContext => ({
    engine: engine.engine(),
    io: undefined,
    signal,
    onProgress: noProgress,
    hostPaths: { folders: [folder] },
    project: undefined,
    network: { policy: 'off', allow: [], packageSources: 'none' },
    daemon: undefined,
  });
  const once = async (): Promise<void> => {
    let call =
      workspaces() < 3 ? usual.of('workspace.create') : workspaces() > 8 ? usual.of('workspace.delete') : usual.next();
    while (
      workspaces() >= 3 &&
      workspaces() <= 8 &&
      rare.includes(call.operation.definition.name) &&
      usual.random(8) > 0
    )
      call = usual.next();
    const { operation } = call;
    const { name } = operation.definition;
    // As a program on the wire writes it.
    let input: Record<string, unknown> = JSON.parse(JSON.stringify(call.input));
    if (name === 'workspace.create' && (workspaces() < 3 || usual.random(3) > 0))
      input = { environment: 'debian:12', wait_seconds: 40 };
    const canceller = new AbortController();
    const reason = new PyroError('cancelled', 'the test has cancelled it');
    if (name === 'workspace.create') creating++;
    const cancelAfter = usual.random(50) === 0 ? usual.random(50) : longestMs;
    const timer = setTimeout(() => canceller.abort(reason), cancelAfter);
    const startedAt = performance.now();
    try {
      const forgiven = usual.random(2) === 0 ? forgiveInput(operation, input).input : input;
      const { output } = await operation.invoke(context(canceller.signal), forgiven);
      usual.learn(JSON.parse(JSON.stringify(output)));
      const { text } = operation.receive(JSON.parse(JSON.stringify(output)));
      if (text === undefined) throw new Error('a result without a text');
      if (/^(workspace|vm)[.]create$/.test(name)) usual.alive.add(String(output['workspace_id'] ?? output['vm_id']));
      for (const id of deletedBy(output, String(input['workspace_id'] ?? input['vm_id']))) usual.alive.delete(id);
      count('answered');
    } catch (error) {
      const report = reportError(error);
      if (report.code === 'workspace_unknown') usual.alive.delete(String(input['workspace_id'] ?? input['vm_id']));
      count(report.code);
      const isFault =
        report.code === 'internal' ||
        /\n {4}at /.test(`${report.message}${report.hint}`) ||
        report.message.length > 20_000;
      const isLate = performance.now() - startedAt >= longestMs;
      if (isFault || isLate) {
        const what = `${name}: ${isLate ? 'late' : report.message.slice(0, 300)}`;
        // Told at once: a run of hours may be cut short.
        if (isWhole) process.stderr.write(`call ${made}: ${what}\n`);
        faults.set(what, `${JSON.stringify(input).slice(0, 1000)}\n${error instanceof Error ? error.stack : ''}`);
      }
    } finally {
      clearTimeout(timer);
      if (name === 'workspace.create') creating--;
    }
  };
  const count = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  const lane = async (): Promise<void> => {
    while (made < wanted) {
      made++;
      if (isWhole && made % 1000 === 0) process.stderr.write(`${made} calls\n`);
      await once();
    }
  };
  try {
    await Promise.all(Array.from({ length: lanes }, lane));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (process.env['RANDOM_CALLS_TOLD'] !== undefined)
    console.log(Object.fromEntries([...outcomes].sort((a, b) => b[1] - a[1])));
  expect([...faults].map(([what, how]) => `${what}\n${how}`)).toEqual([]);
  expect(outcomes.get('answered') ?? 0).toBeGreaterThan(wanted / 10);
});

/** Ids of what a call has deleted, and not only said that it would. */
function deletedBy(output: Record<string, unknown>, named: string): readonly string[] {
  if (output['dry_run'] === true) return [];
  const { deleted, deleted_vm_ids: vms = [] } = output;
  if (deleted === true) return [named];
  return [deleted, vms].flatMap((ids) => (Array.isArray(ids) ? ids.map(String) : []));
}
