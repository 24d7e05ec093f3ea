// The daemon's engine in the test's own process: the machine's cache, state and sockets in folders of the test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecRequest, ExecResult } from '../../src/contract/commands-requests.ts';
import type { CreateRequest, WorkspaceCall, Workspaces } from '../../src/contract/workspaces-requests.ts';
import { createDaemonEngine, type DaemonEngine } from '../../src/engine/daemon-engine.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { locatePaths, type Paths } from '../../src/system/paths.ts';

export interface TestHouse extends AsyncDisposable {
  readonly paths: Paths;
  readonly workspaces: () => Workspaces;
  readonly engine: () => DaemonEngine;
  /** As if the daemon was replaced: let go of everything, then another takes over */
  readonly reopen: () => Promise<void>;
}

/** `hasOwnCache`: for tests that change what is cached; the environments and templates of the machine are in it, too. */
export async function openHouse({ hasOwnCache = false } = {}): Promise<TestHouse> {
  const folder = mkdtempSync(join(tmpdir(), 'pt-'));
  const cache = hasOwnCache ? join(folder, 'cache') : locatePaths().cache;
  if (hasOwnCache) execFileSync('cp', ['--archive', '--link', locatePaths().cache, cache]);
  const paths: Paths = {
    cache,
    state: join(folder, 's'),
    config: join(folder, 'c'),
    runtime: join(folder, 'r'),
  };
  let engine = await createDaemonEngine(paths);
  const workspaces = (): Workspaces => {
    if (engine.workspaces === undefined) throw new Error('an engine without workspaces');
    return engine.workspaces;
  };
  return {
    paths,
    workspaces,
    engine: () => engine,
    reopen: async () => {
      await engine[Symbol.asyncDispose]();
      engine = await createDaemonEngine(paths);
    },
    [Symbol.asyncDispose]: async () => {
      await workspaces().prune({ states: ['started', 'stopped', 'damaged'], isForced: true, isDryRun: false }, call());
      await engine[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function call(changes: Partial<WorkspaceCall> = {}): WorkspaceCall {
  return {
    signal: new AbortController().signal,
    onProgress: noProgress,
    hostPaths: 'any',
    project: undefined,
    network: undefined,
    ...changes,
  };
}

export const createRequest: CreateRequest = {
  environment: 'debian:12',
  vcpuCount: 1,
  memMib: 1024,
  diskMib: 8192,
  ttlSeconds: 0,
  networkPolicy: 'off',
  allow: [],
  packageSources: 'none',
  seedPath: undefined,
  name: undefined,
  labels: {},
  secrets: [],
  waitMs: 600_000,
};

export const execRequest: ExecRequest = {
  command: 'true',
  cwd: undefined,
  user: undefined,
  env: {},
  secretEnv: [],
  stdin: undefined,
  io: undefined,
  timeoutMs: 120_000,
  waitMs: 120_000,
  outputBytes: 8000,
};

export async function exec(
  house: TestHouse,
  id: string,
  command: string,
  request: Partial<ExecRequest> = {},
  changes: Partial<WorkspaceCall> = {},
): Promise<ExecResult> {
  return await house.workspaces().exec(id, { ...execRequest, command, ...request }, call(changes));
}
