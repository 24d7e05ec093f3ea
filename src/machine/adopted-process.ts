// A QEMU process that an earlier daemon started: known by its id and start time, watched without being its parent.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cgroup, findCgroupOf } from '../system/cgroup.ts';
import { hasSurelyEnded, isRunning, killProcess, type ProcessIdentity } from '../system/processes.ts';
import { keptConsole, type MachineProcess, printableTail } from './machine-process.ts';

const lookMs = 200;

export class AdoptedProcess implements MachineProcess {
  readonly #identity: ProcessIdentity;
  /** Asked for while the process still runs: afterwards nobody could tell */
  readonly #cgroup: Promise<Cgroup | undefined>;
  readonly ended: Promise<void>;
  /** Since it was taken over: what came before went to the daemon that is gone */
  #console = '';

  constructor(identity: ProcessIdentity) {
    this.#identity = identity;
    this.#cgroup = findCgroupOf(identity.pid);
    this.ended = this.#watch();
  }

  get pid(): number {
    return this.#identity.pid;
  }

  get hasEnded(): boolean {
    return !isRunning(this.#identity);
  }

  get console(): string {
    return this.#console;
  }

  addConsole(text: string): void {
    this.#console = (this.#console + text).slice(-keptConsole);
  }

  lastWords(): string {
    return printableTail(this.#console, 12).join('\n');
  }

  async kill(): Promise<void> {
    const cgroup = await this.#cgroup;
    await killProcess(this.#identity);
    await cgroup?.remove();
  }

  /** Only a parent is told of an end; others have to look. */
  async #watch(): Promise<void> {
    while (!hasSurelyEnded(this.#identity)) await sleep(lookMs, undefined, { ref: false });
    await (await this.#cgroup)?.remove();
  }
}
