// What measurements of workspaces share: the daemon's own code in this process, a stop-watch, and the file of results.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkspaceCall } from '../src/contract/call.ts';
import type { Workspaces } from '../src/engine/engine.ts';
import { Preparations } from '../src/engine/guests/preparations.ts';
import { WorkspaceRegistry } from '../src/engine/workspace/workspace-registry.ts';
import { createWorkspaces } from '../src/engine/workspaces.ts';
import { writeJson } from '../src/system/files.ts';
import { locatePaths } from '../src/system/paths.ts';
import { call as callOf } from '../test/support/engine.ts';
import { median } from './facts.ts';

export interface BenchEngine extends AsyncDisposable {
  /** For what a measurement makes; gone with the engine */
  readonly folder: string;
  readonly registry: WorkspaceRegistry;
  readonly workspaces: Workspaces;
  readonly call: WorkspaceCall;
}

export async function openBenchEngine(): Promise<BenchEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'pb-'));
  const paths = {
    cache: locatePaths().cache,
    state: join(folder, 's'),
    config: join(folder, 'c'),
    runtime: join(folder, 'r'),
  };
  const registry = await WorkspaceRegistry.open(paths);
  const call = callOf();
  const workspaces = createWorkspaces(registry, new Preparations(paths, call.signal));
  return {
    folder,
    registry,
    workspaces,
    call,
    [Symbol.asyncDispose]: async () => {
      await workspaces.prune({ all: true, force: true, dry_run: false }, call);
      await registry[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Times of each name, `ms`. */
export class Watch {
  readonly times = new Map<string, number[]>();

  readonly timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const result = await work();
    this.times.set(name, [...(this.times.get(name) ?? []), performance.now() - started]);
    return result;
  };

  medians(digits: number): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.times].map(([name, values]) => [name, Number(median(values).toFixed(digits))]));
  }
}

export function ratioIn(medians: Readonly<Record<string, number>>, above: string, below: string): number {
  return Number(((medians[above] ?? 0) / (medians[below] ?? 1)).toFixed(2));
}

/** Writes bench/results/ACCELERATOR-NAME.json and prints the same. */
export async function writeResults(accelerator: string, name: string, results: object): Promise<void> {
  const folder = join(import.meta.dirname, 'results');
  await writeJson(join(folder, `${accelerator}-${name}.json`), results, 0o644);
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
}
