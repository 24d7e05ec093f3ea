// A running guest: its QEMU process, its QMP connection and its agent's session, started by booting or by restoring.
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GuestClient } from '../agent/guest-client.ts';
import { messageOf, PyroError } from '../shared/errors.ts';
import { makeFolder } from '../system/folders.ts';
import { identifyProcess, isRunning, type ProcessIdentity } from '../system/processes.ts';
import type { AcceleratorChoice } from './accelerator.ts';
import { AdoptedProcess } from './adopted-process.ts';
import { type MachineSpec, type MachineStorage, machineArguments } from './arguments.ts';
import { readConsole } from './console.ts';
import type { QemuFacts } from './host-facts.ts';
import type { GuestKit } from './kit.ts';
import { limitsOf } from './limits.ts';
import { bootError, type MachineProcess } from './machine-process.ts';
import { startQemu } from './qemu-process.ts';
import { Qmp } from './qmp.ts';
import { RoomWatch } from './room-watch.ts';

/** What all guests of one machine share. */
export interface MachineHost {
  readonly qemu: QemuFacts;
  readonly kit: GuestKit;
  readonly choice: AcceleratorChoice;
  readonly tscKhz: number;
  /** Folder for sockets and disks of running guests */
  readonly runtime: string;
}

export interface GuestSize {
  readonly vcpuCount: number;
  readonly memoryMib: number;
}

export interface GuestStart {
  readonly id: string;
  readonly size: GuestSize;
  readonly storage: MachineStorage | undefined;
  readonly memory: MachineSpec['memory'];
  readonly magic: Buffer;
  /** Saved state of a template; absent boots */
  readonly stateFile?: string;
  /** File for QEMU's messages: the guest then outlives this process. Absent: it ends with it. */
  readonly messageFile?: string;
  /** Name of the folder of its sockets below the runtime folder; the id unless given */
  readonly folderName?: string;
  /** Called once its processor runs: from then on there is only to wait for it */
  readonly onRunning?: (() => void) | undefined;
}

/** A guest that runs already, as its starter has noted it. */
export interface RunningGuest {
  readonly process: ProcessIdentity;
  readonly folderName: string;
  readonly magic: Buffer;
  /** Folder of the host that its disk lies in */
  readonly diskFolder: string;
}

const bootDeadlineMs = { kvm: 30_000, tcg: 90_000 } as const;
const restoreDeadlineMs = 30_000;

export function newMagic(): Buffer {
  return randomBytes(16);
}

export class Guest implements AsyncDisposable {
  readonly process: MachineProcess;
  readonly qmp: Qmp;
  readonly client: GuestClient;
  /** Absent for a guest without a disk */
  readonly room: RoomWatch | undefined;

  private constructor(process: MachineProcess, qmp: Qmp, client: GuestClient, diskFolder: string | undefined) {
    this.process = process;
    this.qmp = qmp;
    this.client = client;
    this.room = diskFolder === undefined ? undefined : new RoomWatch(qmp, diskFolder);
  }

  /** Starts QEMU and waits until the agent has answered; on any failure nothing is left running. */
  static async start(host: MachineHost, start: GuestStart, signal: AbortSignal): Promise<Guest> {
    signal.throwIfAborted();
    const folder = guestFolder(host, start.folderName ?? start.id);
    await makeFolder(folder);
    const isDetached = start.messageFile !== undefined;
    const sockets = { ...socketsIn(folder), ...(isDetached ? { console: join(folder, 'c') } : {}) };
    const args = machineArguments({
      id: start.id,
      accelerator: host.choice.accelerator,
      vcpuCount: start.size.vcpuCount,
      memoryMib: start.size.memoryMib,
      kernel: host.kit.kernel,
      initramfs: host.kit.initramfs,
      magic: start.magic.toString('hex'),
      tscKhz: host.tscKhz,
      memory: start.memory,
      storage: start.storage,
      sockets,
      isSandboxed: true,
      isIncoming: start.stateFile !== undefined,
    });
    await using state = start.stateFile === undefined ? undefined : await openState(start.stateFile);
    const process = await startQemu({
      qemu: host.qemu.path,
      args,
      stateFd: state?.fd,
      messageFile: start.messageFile,
      cgroupName: start.folderName ?? start.id,
      limits: limitsOf(host.choice.accelerator, start.size.vcpuCount, start.size.memoryMib),
    });
    try {
      await using undo = new AsyncDisposableStack();
      undo.defer(() => process.kill());
      // The end of QEMU ends every wait for it.
      const ended = new AbortController();
      void process.ended.then(() => ended.abort(bootError(process, 'the guest ended while it started')));
      const alive = AbortSignal.any([signal, ended.signal]);
      const qmp = undo.use(await Qmp.open(sockets.qmp, { deadlineMs: 10_000, signal: alive }));
      if (sockets.console !== undefined) readConsole(sockets.console, (text) => process.addConsole(text));
      if (state !== undefined) await restoreState(qmp, alive);
      start.onRunning?.();
      if (state === undefined) await awaitBoot(qmp, bootDeadlineMs[host.choice.accelerator], alive);
      const client = await GuestClient.connect(sockets.agent, start.magic, {
        timeoutMs: restoreDeadlineMs,
        signal: alive,
      });
      undo.move();
      return new Guest(process, qmp, client, start.storage === undefined ? undefined : dirname(start.storage.disk));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PyroError && error.code === 'guest_boot_failed') throw error;
      throw bootError(process, `the guest did not come up: ${messageOf(error)}`, error);
    }
  }

  /** Takes over a guest that runs already. Throws `guest_unreachable` when it is gone or does not answer. */
  static async adopt(host: MachineHost, running: RunningGuest, signal: AbortSignal): Promise<Guest> {
    const folder = guestFolder(host, running.folderName);
    const sockets = socketsIn(folder);
    if (!isRunning(running.process)) throw new PyroError('guest_unreachable', 'the guest is no longer running');
    const process = new AdoptedProcess(running.process);
    await using undo = new AsyncDisposableStack();
    const qmp = undo.use(await Qmp.open(sockets.qmp, { deadlineMs: 5000, signal }));
    // What it is asked below ends with the connection.
    const onAbort = (): void => void qmp[Symbol.asyncDispose]();
    signal.addEventListener('abort', onAbort, { once: true });
    undo.defer(() => signal.removeEventListener('abort', onAbort));
    const room = new RoomWatch(qmp, running.diskFolder);
    // One that is paused does not answer.
    await room.lookOnce();
    const client = await room.guard(() =>
      GuestClient.connect(sockets.agent, running.magic, { timeoutMs: 30_000, signal }),
    );
    room[Symbol.dispose]();
    signal.removeEventListener('abort', onAbort);
    undo.move();
    return new Guest(process, qmp, client, running.diskFolder);
  }

  /** Work with it. Throws `disk_full` when it is paused for want of room on the host, and does not answer. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    return await (this.room?.guard(work) ?? work());
  }

  /** Process id and start time, for who takes the guest over later. */
  identity(): ProcessIdentity {
    const { pid } = this.process;
    const identity = pid === undefined ? undefined : identifyProcess(pid);
    if (identity === undefined) throw new PyroError('guest_unreachable', 'the guest is no longer running');
    return identity;
  }

  /** Lets go of the guest, which runs on. */
  async release(): Promise<void> {
    this.room?.[Symbol.dispose]();
    await this.client[Symbol.asyncDispose]();
    await this.qmp[Symbol.asyncDispose]();
  }

  /** Ends the guest at once and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.room?.[Symbol.dispose]();
    await this.client[Symbol.asyncDispose]();
    await this.qmp[Symbol.asyncDispose]();
    await this.process.kill();
  }
}

async function openState(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    throw new PyroError('template_invalid', 'the template was removed just now', {
      hint: 'it is made again on the next run',
      cause,
    });
  }
}

function socketsIn(folder: string): { agent: string; network: string; qmp: string } {
  return { agent: join(folder, 'a'), network: join(folder, 'n'), qmp: join(folder, 'q') };
}

export function guestFolder(host: MachineHost, id: string): string {
  return join(host.runtime, id);
}

export async function removeGuestFolder(host: MachineHost, id: string): Promise<void> {
  await rm(guestFolder(host, id), { recursive: true, force: true });
}

async function awaitBoot(qmp: Qmp, timeoutMs: number, signal: AbortSignal): Promise<void> {
  await qmp.waitFor(
    ({ event, data }) => event === 'VSERPORT_CHANGE' && data['id'] === 'agent' && data['open'] === true,
    {
      timeoutMs,
      signal,
    },
  );
}

async function restoreState(qmp: Qmp, signal: AbortSignal): Promise<void> {
  await qmp.execute('migrate-set-capabilities', {
    capabilities: [
      { capability: 'events', state: true },
      { capability: 'x-ignore-shared', state: true },
    ],
  });
  await qmp.execute('migrate-incoming', { uri: 'fd:3' });
  await migrationEnd(qmp, signal);
  await qmp.execute('cont');
}

/** Waits until a migration, either way, has ended. Throws `template_invalid` when it failed. */
export async function migrationEnd(qmp: Qmp, signal: AbortSignal): Promise<void> {
  const { data } = await qmp.waitFor(
    ({ event, data }) => event === 'MIGRATION' && (data['status'] === 'completed' || data['status'] === 'failed'),
    { timeoutMs: restoreDeadlineMs, signal },
  );
  if (data['status'] === 'failed') {
    throw new PyroError('template_invalid', 'QEMU could not move the guest state', {
      hint: 'the template is made again on the next run',
    });
  }
}
