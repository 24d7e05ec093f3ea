// A running guest: its QEMU process, its QMP connection and its agent's session, started by booting or by restoring.
import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GuestClient } from '../agent/guest-client.ts';
import { PyroError } from '../shared/errors.ts';
import { makeFolder } from '../system/folders.ts';
import type { AcceleratorChoice } from './accelerator.ts';
import { type MachineSpec, type MachineStorage, machineArguments } from './arguments.ts';
import type { QemuFacts } from './host-facts.ts';
import type { GuestKit } from './kit.ts';
import { QemuProcess } from './qemu-process.ts';
import { Qmp } from './qmp.ts';

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
}

const bootDeadlineMs = { kvm: 30_000, tcg: 90_000 } as const;
const restoreDeadlineMs = 30_000;

export function newMagic(): Buffer {
  return randomBytes(16);
}

export class Guest implements AsyncDisposable {
  readonly process: QemuProcess;
  readonly qmp: Qmp;
  readonly client: GuestClient;

  private constructor(process: QemuProcess, qmp: Qmp, client: GuestClient) {
    this.process = process;
    this.qmp = qmp;
    this.client = client;
  }

  /** Starts QEMU and waits until the agent has answered; on any failure nothing is left running. */
  static async start(host: MachineHost, start: GuestStart, signal: AbortSignal): Promise<Guest> {
    signal.throwIfAborted();
    const folder = guestFolder(host, start.id);
    await makeFolder(folder);
    const sockets = { agent: join(folder, 'a'), network: join(folder, 'n'), qmp: join(folder, 'q') };
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
    const state = start.stateFile === undefined ? undefined : await open(start.stateFile, 'r');
    const process = await QemuProcess.start(host.qemu.path, args, state?.fd);
    try {
      await using undo = new AsyncDisposableStack();
      undo.defer(() => process.kill());
      // The end of QEMU ends every wait for it.
      const ended = new AbortController();
      void process.ended.then(() => ended.abort(process.bootError('the guest ended while it started')));
      const alive = AbortSignal.any([signal, ended.signal]);
      const qmp = undo.use(await Qmp.open(sockets.qmp, { deadlineMs: 10_000, signal: alive }));
      if (state === undefined) await awaitBoot(qmp, bootDeadlineMs[host.choice.accelerator], alive);
      else await restoreState(qmp, alive);
      const client = await GuestClient.connect(sockets.agent, start.magic, {
        timeoutMs: restoreDeadlineMs,
        signal: alive,
      });
      undo.move();
      return new Guest(process, qmp, client);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PyroError && error.code === 'guest_boot_failed') throw error;
      throw process.bootError(`the guest did not come up: ${error instanceof Error ? error.message : error}`, error);
    } finally {
      await state?.close();
    }
  }

  /** Ends the guest at once and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.qmp[Symbol.asyncDispose]();
    await this.process.kill();
  }
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
