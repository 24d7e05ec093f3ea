// A guest in QEMU: its process, its QMP connection and its agent's session, started by booting or by restoring.
import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GuestClient } from '../agent/guest-client.ts';
import type { RunningGuest } from '../contract/records.ts';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { makeFolder } from '../system/folders.ts';
import { identifyProcess, isRunning, type ProcessIdentity } from '../system/processes.ts';
import type { AcceleratorChoice } from './accelerator.ts';
import { AdoptedProcess } from './adopted-process.ts';
import { diskNode, type MachineSpec, type MachineStorage, machineArguments } from './arguments.ts';
import type { Confinement } from './confinement.ts';
import { newLayersFolder, planConfinement, showLayer } from './confinement-plan.ts';
import { readConsole } from './console.ts';
import { templateDiskMib } from './disks.ts';
import { endOf, type GuestEnd } from './guest-end.ts';
import { GuestHealth } from './guest-health.ts';
import { isTrouble } from './guest-trouble.ts';
import type { QemuFacts } from './host-facts.ts';
import type { GuestKit } from './kit.ts';
import { pushLayer, stillDisk, topLayer } from './layers.ts';
import { limitsOf } from './limits.ts';
import type { Guest, GuestSize } from './machine.ts';
import { bootError, type MachineProcess } from './machine-process.ts';
import { startQemu } from './qemu-process.ts';
import { Qmp } from './qmp.ts';
import { reachGuest } from './reach-guest.ts';
import { restoreState, saveState } from './save-state.ts';
import { SpaceWatch, watchStart } from './space-watch.ts';

/** What all guests of one machine share. */
export interface QemuHost {
  readonly qemu: QemuFacts;
  readonly kit: GuestKit;
  readonly choice: AcceleratorChoice;
  readonly tscKhz: number;
  /** How far a QEMU is shut in */
  readonly confinement: Confinement;
  /** Folder for sockets and disks of running guests */
  readonly runtime: string;
}

export interface QemuStartRequest {
  readonly id: string;
  readonly size: GuestSize;
  readonly storage: MachineStorage | undefined;
  readonly memory: MachineSpec['memory'];
  readonly magic: Buffer;
  /** Saved state of a template; absent boots */
  readonly stateFile?: string;
  /** File for QEMU's messages: the guest then outlives this process. Absent: it ends with it. */
  readonly messageFile?: string | undefined;
  /** Name of the folder of its sockets below the runtime folder; the id unless given */
  readonly folderName?: string;
  /** Size to which its disk may grow, `MiB`; that of a template's disk unless given */
  readonly diskMib?: number;
  /** True for one that will be saved */
  readonly isSaved?: boolean;
  /** Called once its processor runs: from then on there is only to wait for it */
  readonly onRunning?: (() => void) | undefined;
}

const bootDeadlineMs = { kvm: 30_000, tcg: 90_000 } as const;
const restoreDeadlineMs = 30_000;

export function newMagic(): Buffer {
  return randomBytes(16);
}

interface GuestParts {
  readonly folder: string;
  readonly process: MachineProcess;
  readonly qmp: Qmp;
  readonly client: GuestClient;
  readonly diskFolder: string | undefined;
  readonly confinement: Confinement;
  /** Its console, where it does not come by a pipe */
  readonly console: ReturnType<typeof readConsole> | undefined;
}

export class QemuGuest implements Guest {
  readonly client: GuestClient;
  readonly ended: Promise<GuestEnd>;
  readonly health: GuestHealth;
  readonly #folder: string;
  readonly #process: MachineProcess;
  readonly #qmp: Qmp;
  readonly #diskFolder: string | undefined;
  readonly #confinement: Confinement;
  readonly #console: GuestParts['console'];

  private constructor(parts: GuestParts) {
    this.client = parts.client;
    this.#folder = parts.folder;
    this.#process = parts.process;
    this.#qmp = parts.qmp;
    this.#diskFolder = parts.diskFolder;
    this.#confinement = parts.confinement;
    this.#console = parts.console;
    const { client, process, qmp, diskFolder } = parts;
    this.health = new GuestHealth(
      { received: () => client.receivedBytes, ask: () => client.ping(), pid: process.pid },
      diskFolder === undefined ? undefined : (onChange) => new SpaceWatch(qmp, diskFolder, onChange),
    );
    this.ended = endOf(parts);
  }

  get networkSocket(): string {
    return socketsIn(this.#folder).network;
  }

  /** Starts QEMU and waits until the agent has answered; on any failure nothing is left running. */
  static async start(host: QemuHost, start: QemuStartRequest, signal: AbortSignal): Promise<QemuGuest> {
    signal.throwIfAborted();
    const folder = guestFolder(host, start.folderName ?? start.id);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => removeFolder(folder));
    await makeFolder(folder);
    const isDetached = start.messageFile !== undefined;
    const sockets = { ...socketsIn(folder), ...(isDetached ? { console: join(folder, 'c') } : {}) };
    const machine: MachineSpec = {
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
    };
    await using state = start.stateFile === undefined ? undefined : await openState(start.stateFile);
    const limits = limitsOf(host.choice.accelerator, start.size.vcpuCount, start.size.memoryMib);
    const confined = await planConfinement(host.confinement, {
      machine,
      socketFolder: folder,
      diskMib: start.diskMib ?? templateDiskMib,
      hasState: state !== undefined,
      isSaved: start.isSaved ?? false,
      processCount: limits.processCount,
    });
    const diskFolder = start.storage === undefined ? undefined : dirname(start.storage.disk);
    undo.defer(() => removeNewLayers(diskFolder, folder));
    const process = await startQemu({
      qemu: host.qemu.path,
      args: machineArguments(machine),
      confined,
      stateFd: state?.fd,
      messageFile: start.messageFile,
      cgroupName: start.folderName ?? start.id,
      limits,
    });
    undo.defer(() => process.kill());
    try {
      // The end of QEMU ends every wait for it.
      const ended = new AbortController();
      void process.ended.then(() => ended.abort(bootError(process, 'the guest ended while it started')));
      const alive = AbortSignal.any([signal, ended.signal]);
      const qmp = undo.use(await Qmp.open(sockets.qmp, { deadlineMs: 10_000, signal: alive }));
      // So does a pause for its disk: one that is paused never comes up.
      using _space = watchStart(qmp, diskFolder, (trouble) => ended.abort(trouble.error));
      const console =
        sockets.console === undefined ? undefined : readConsole(sockets.console, (text) => process.addConsole(text));
      if (state !== undefined) await restoreState(qmp, alive);
      start.onRunning?.();
      if (state === undefined) await awaitBoot(qmp, bootDeadlineMs[host.choice.accelerator], alive);
      const client = await GuestClient.connect(sockets.agent, start.magic, {
        timeoutMs: restoreDeadlineMs,
        signal: alive,
      });
      undo.move();
      return new QemuGuest({ folder, process, qmp, client, diskFolder, confinement: host.confinement, console });
    } catch (error) {
      signal.throwIfAborted();
      if (isTrouble(error) || isPyroError(error, 'guest_boot_failed')) throw error;
      throw bootError(process, `the guest did not come up: ${messageOf(error)}`, error);
    }
  }

  /**
   * Takes over a guest that runs already. Throws `guest_unreachable` when it is gone, `guest_unresponsive` when it does not
   * answer, and the error of a guest that is paused.
   */
  static async adopt(
    host: QemuHost,
    running: RunningGuest,
    diskFolder: string,
    signal: AbortSignal,
  ): Promise<QemuGuest> {
    const folder = guestFolder(host, running.folder);
    const sockets = socketsIn(folder);
    if (!isRunning(running.process)) throw new PyroError('guest_unreachable', 'the guest is no longer running');
    await assertSockets(folder, Object.values(sockets));
    const process = new AdoptedProcess(running.process);
    const magic = Buffer.from(running.magic, 'hex');
    const { qmp, client } = await reachGuest({ sockets, process: running.process, magic, diskFolder }, signal);
    const console = readConsole(join(folder, 'c'), (text) => process.addConsole(text));
    return new QemuGuest({ folder, process, qmp, client, diskFolder, confinement: host.confinement, console });
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    return await this.health.guard(work);
  }

  async addLayer(path: string, sizeMib: number, note: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    const show = (layer: string): Promise<string> =>
      showLayer(newLayersFolder(dirname(layer), basename(this.#folder)), layer);
    const guest = { client: stillDisk(this), qmp: this.#qmp, confinement: this.#confinement, show };
    return await pushLayer(guest, path, sizeMib, note, signal);
  }

  async topLayer(): Promise<string> {
    return (await topLayer(this.#qmp)).file;
  }

  /** Makes the disk and its file system larger, to `sizeMib`; gives the size that the guest tells, `bytes`. */
  async grow(sizeMib: number, signal: AbortSignal): Promise<number> {
    await this.#qmp.execute('block_resize', { 'node-name': diskNode, size: sizeMib * mebibyte });
    return await this.client.grow({ signal });
  }

  /** Stops the guest for good and writes its devices' state; its memory is in the file that it was started on. */
  async save(file: string, signal: AbortSignal): Promise<void> {
    await saveState(this.#qmp, join(this.#folder, 's'), file, signal);
  }

  /** Process id and start time, for who takes the guest over later. */
  identity(): ProcessIdentity {
    const { pid } = this.#process;
    const identity = pid === undefined ? undefined : identifyProcess(pid);
    if (identity === undefined) throw new PyroError('guest_unreachable', 'the guest is no longer running');
    return identity;
  }

  async detach(): Promise<void> {
    this.health[Symbol.dispose]();
    this.#console?.[Symbol.dispose]();
    await this.client[Symbol.asyncDispose]();
    await this.#qmp[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.health[Symbol.dispose]();
    this.#console?.[Symbol.dispose]();
    await this.client[Symbol.asyncDispose]();
    await this.#qmp[Symbol.asyncDispose]();
    await this.#process.kill();
    await removeNewLayers(this.#diskFolder, this.#folder);
    await removeFolder(this.#folder);
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

/** A QEMU that a guest has taken over may have put links there, which would lead us to sockets of others. */
async function assertSockets(folder: string, sockets: readonly string[]): Promise<void> {
  for (const path of sockets) {
    const status = await lstat(path).catch(() => undefined);
    if (status !== undefined && !status.isSocket())
      throw new PyroError('guest_unreachable', `what stands in ${folder} are not the sockets of the guest`);
  }
}

export function guestFolder(host: QemuHost, id: string): string {
  return join(host.runtime, id);
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

async function removeNewLayers(diskFolder: string | undefined, socketFolder: string): Promise<void> {
  if (diskFolder !== undefined) await removeFolder(newLayersFolder(diskFolder, basename(socketFolder)));
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
