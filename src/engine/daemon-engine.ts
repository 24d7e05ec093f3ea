// The engine of the daemon: what a front can do, and the workspaces.

import type { OpenMachine } from '../machine/machine.ts';
import { openQemuMachine } from '../machine/qemu-machine.ts';
import { noProgress } from '../shared/progress.ts';
import { locatePaths, type Paths } from '../system/paths.ts';
import type { Engine } from './engine.ts';
import { sharedMemory } from './guests/memory-limit.ts';
import { Preparations } from './guests/preparations.ts';
import { type JobRunner, jobsHere } from './jobs/job.ts';
import { createLocalEngine } from './local-engine.ts';
import { WorkspaceRegistry } from './workspace/workspace-registry.ts';
import { createWorkspaces } from './workspaces.ts';

export interface EngineActivity {
  readonly runningGuests: number;
  /** Workspaces with work in progress, and environments being prepared */
  readonly busyCalls: number;
  /** Memory that the running guests were given, `bytes` */
  readonly memoryBytes: number;
  readonly guests: readonly { readonly workspace_id: string; readonly pid: number }[];
}

export interface DaemonEngine extends Engine, AsyncDisposable {
  readonly activity: () => EngineActivity;
}

/** A tool call is over within 40 s and the time limit of its command, `ms` */
const environmentWaitMs = 40_000;

/** Takes over the running guests. Disposing it releases them; they keep running. */
export async function createDaemonEngine(
  paths: Paths = locatePaths(),
  memory = sharedMemory(paths),
  openMachine: OpenMachine = openQemuMachine,
  jobs: JobRunner = jobsHere,
): Promise<DaemonEngine> {
  const closing = new AbortController();
  const registry = await WorkspaceRegistry.open(paths, memory, openMachine, jobs);
  const preparations = new Preparations(paths, closing.signal);
  registry.renewEnvironment = (name) => {
    // Whoever needs it meanwhile waits for it; a failure is met again by that call.
    void preparations.environment(name, 0, { signal: closing.signal, onProgress: noProgress }).catch(() => undefined);
  };
  const workspaces = createWorkspaces(registry, preparations);
  return {
    ...createLocalEngine(
      paths,
      (name, context) => preparations.environment(name, environmentWaitMs, context),
      memory,
      openMachine,
    ),
    workspaces,
    activity: () => {
      const started = registry.all().filter(({ guest }) => guest !== undefined);
      return {
        runningGuests: started.length,
        busyCalls: started.filter(({ isBusy }) => isBusy).length + preparations.count,
        memoryBytes: started.reduce((sum, { record }) => sum + record.mem_mib * 1024 * 1024, 0),
        guests: started.flatMap(({ record }) =>
          record.guest === null ? [] : [{ workspace_id: record.id, pid: record.guest.process.pid }],
        ),
      };
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await registry[Symbol.asyncDispose]();
    },
  };
}
