// The daemon's engine in the test's own process: the machine's cache, state and sockets in folders of the test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkspaceCall } from '../../src/contract/call.ts';
import { type ExecInput, type ExecOutput, execInput } from '../../src/contract/commands.ts';
import { fileWriteInput } from '../../src/contract/files.ts';
import { type CreateInput, createInput } from '../../src/contract/workspaces.ts';
import { createDaemonEngine, type DaemonEngine } from '../../src/engine/daemon-engine.ts';
import type { Workspaces } from '../../src/engine/engine.ts';
import { GuestMemory } from '../../src/engine/guests/memory-limit.ts';
import type { JobRunner } from '../../src/engine/jobs/job.ts';
import type { OpenMachine } from '../../src/machine/machine.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { locatePaths, type Paths } from '../../src/system/paths.ts';

export interface TestEngine extends AsyncDisposable {
  readonly paths: Paths;
  readonly workspaces: () => Workspaces;
  readonly engine: () => DaemonEngine;
  /** As if the daemon was replaced: let go of everything, then another takes over */
  readonly reopen: () => Promise<void>;
}

interface EngineOptions {
  /** For tests that change what is cached; the environments and templates of the machine are in it, too */
  readonly hasOwnCache?: boolean;
  /** Memory that the machine is taken to have, `MiB` */
  readonly memoryMib?: number;
}

export async function openTestEngine({ hasOwnCache = false, memoryMib }: EngineOptions = {}): Promise<TestEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'pt-'));
  const cache = hasOwnCache ? join(folder, 'cache') : locatePaths().cache;
  if (hasOwnCache) execFileSync('cp', ['--archive', '--link', locatePaths().cache, cache]);
  return await openEngineIn(folder, cache, memoryMib);
}

/** An engine whose state lies in a folder that goes with it. */
export async function openEngineIn(
  folder: string,
  cache: string,
  memoryMib?: number,
  openMachine?: OpenMachine,
  jobs?: () => JobRunner,
): Promise<TestEngine> {
  const paths: Paths = { cache, state: join(folder, 's'), config: join(folder, 'c'), runtime: join(folder, 'r') };
  const create = () => createDaemonEngine(paths, new GuestMemory(memoryMib), openMachine, jobs?.());
  let engine = await create();
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
      engine = await create();
    },
    [Symbol.asyncDispose]: async () => {
      await workspaces().prune({ all: true, force: true, dry_run: false }, call());
      await engine[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function call(changes: Partial<WorkspaceCall> = {}): WorkspaceCall {
  return {
    signal: new AbortController().signal,
    onProgress: noProgress,
    io: undefined,
    hostPaths: 'any',
    project: undefined,
    network: undefined,
    ...changes,
  };
}

export const createRequest: CreateInput = createInput.parse({
  environment: 'debian:12',
  ttl_seconds: 0,
  wait_seconds: 600,
});

/** To be given a path, and a text or an edit. */
export const fileWriteRequest = fileWriteInput.omit({ workspace_id: true, path: true }).parse({});

export const execRequest = execInput.omit({ workspace_id: true }).parse({
  command: 'true',
  timeout_seconds: 120,
  wait_seconds: 120,
});

export async function exec(
  engine: TestEngine,
  id: string,
  command: string,
  request: Partial<ExecInput> = {},
  changes: Partial<WorkspaceCall> = {},
): Promise<ExecOutput> {
  return await engine.workspaces().exec({ ...execRequest, workspace_id: id, command, ...request }, call(changes));
}
