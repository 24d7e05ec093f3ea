// Workspaces whose guests say only what a test wants: a process that sleeps, beside a socket that speaks QMP or not.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunningGuest, WorkspaceRecord } from '../../src/contract/records.ts';
import { emptySeed } from '../../src/engine/calls/list.ts';
import { GuestMemory } from '../../src/engine/guests/memory-limit.ts';
import { jobsHere } from '../../src/engine/jobs/job.ts';
import type { SharedResources } from '../../src/engine/workspace/shared-resources.ts';
import { Workspace } from '../../src/engine/workspace/workspace.ts';
import { untouchedOn, workspaceFiles } from '../../src/engine/workspace/workspace-record.ts';
import { noConfinement } from '../../src/machine/confinement.ts';
import { qemuMachine } from '../../src/machine/qemu-machine.ts';
import { SecretSet } from '../../src/secrets/secret-set.ts';
import { identifyProcess } from '../../src/system/processes.ts';
import { Reserve } from '../../src/system/reserve.ts';

export interface SilentGuests extends AsyncDisposable {
  readonly folder: string;
  readonly resources: SharedResources;
  readonly memory: GuestMemory;
  /** A guest that runs; `answer` is what its QEMU says to a command, nothing for one that hangs */
  readonly startGuest: (answer?: (command: string) => object | undefined) => Promise<SilentGuest>;
  readonly openWorkspace: (changes?: Partial<WorkspaceRecord>) => Promise<Workspace>;
}

export interface SilentGuest {
  readonly record: RunningGuest;
  readonly process: ChildProcess;
  readonly isRunning: () => boolean;
  /** Commands that QEMU was given, in order */
  readonly commands: string[];
}

export function openSilentGuests({ machineFailure }: { readonly machineFailure?: Error } = {}): SilentGuests {
  const folder = mkdtempSync(join(tmpdir(), 'ph-'));
  const runtime = join(folder, 'r');
  mkdirSync(runtime);
  const memory = new GuestMemory(24 * 1024);
  const qemu = { path: '/bin/false', version: '9.0.0', stamp: 'none', hasReadOnlyMemory: true };
  const kit = { kernel: '', initramfs: '', digest: '', kernelRelease: '', bytes: 0, kept: [] };
  const choice = { accelerator: 'tcg', reason: 'none' } as const;
  const machine = qemuMachine({
    host: { qemu, kit, choice, tscKhz: 1, confinement: noConfinement('a test'), runtime },
    cacheFolder: join(folder, 'cache'),
    emptyDisk: '',
    projectPlaceholder: '',
    cpuModel: '',
  });
  const resources: SharedResources = {
    memory,
    jobs: jobsHere,
    reserve: new Reserve(folder),
    machine: () => (machineFailure === undefined ? Promise.resolve(machine) : Promise.reject(machineFailure)),
    secretStore: () => Promise.reject(new Error('no secrets are kept here')),
    removeSockets: async () => undefined,
    howItWent: async () => ({ text: 'its QEMU process had ended' }),
    checkLater: () => undefined,
    prepareNextCreate: () => undefined,
    prepareNextStart: () => undefined,
  };
  const processes: ChildProcess[] = [];
  const servers: Server[] = [];
  return {
    folder,
    resources,
    memory,
    startGuest: async (answer) => {
      const process = spawn('sleep', ['600'], { stdio: 'ignore' });
      processes.push(process);
      const name = `w000000000000-${String(processes.length).padStart(6, '0')}`;
      mkdirSync(join(runtime, name));
      const commands: string[] = [];
      const server = createServer((connection) => {
        connection.on('error', () => undefined);
        connection.write('{"QMP": {}}\n');
        createInterface({ input: connection }).on('line', (line) => {
          const { execute, id } = JSON.parse(line);
          commands.push(execute);
          const said = answer?.(execute);
          if (said !== undefined) connection.write(`${JSON.stringify({ return: said, id })}\n`);
        });
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(join(runtime, name, 'q'), () => resolve()));
      const identity = identifyProcess(process.pid ?? 0);
      if (identity === undefined) throw new Error('sleep did not start');
      return {
        record: {
          process: identity,
          folder: name,
          magic: '5f'.repeat(16),
          machine_id: 'a'.repeat(32),
          accelerator: 'tcg',
        },
        process,
        isRunning: () => identifyProcess(identity.pid)?.start_ticks === identity.start_ticks,
        commands,
      };
    },
    openWorkspace: async (changes = {}) => {
      const id = '0123456789ab';
      const place = join(folder, id);
      mkdirSync(place, { recursive: true });
      return await Workspace.open(
        resources,
        workspaceFiles(place),
        { ...plainRecord(id), ...changes },
        new SecretSet([]),
      );
    },
    [Symbol.asyncDispose]: async () => {
      for (const process of processes) process.kill('SIGKILL');
      for (const server of servers) server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The record of an empty workspace that runs. */
export function plainRecord(id: string): WorkspaceRecord {
  return {
    version: 1,
    id,
    name: null,
    labels: {},
    environment: 'debian:12',
    environment_digest: `sha256:${'0'.repeat(64)}`,
    image: { env: [], working_dir: '/', user: '' },
    vcpu_count: 1,
    mem_mib: 1024,
    disk_mib: 8192,
    ttl_seconds: 0,
    created_at: 1,
    last_activity_at: 1,
    secrets: [],
    network_policy: 'off',
    network_grant: { policy: 'off', limits: [] },
    package_sources: 'none',
    seed: emptySeed,
    has_project: false,
    ...untouchedOn('disk-a.qcow2'),
  };
}
