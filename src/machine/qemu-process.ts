// Starts QEMU in a session of its own: tied to our life, or, for a workspace, to outlive us.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Cgroup, type CgroupLimits, createCgroup } from '../system/cgroup.ts';
import { tie } from '../system/command.ts';
import { type MachineProcess, printableTail } from './machine-process.ts';

const keptConsole = 64 * 1024;

export interface QemuStart {
  readonly qemu: string;
  readonly args: readonly string[];
  /** Becomes file descriptor 3 */
  readonly stateFd: number | undefined;
  /** File for QEMU's own messages: the process then outlives us. Without it even kill -9 of pyro ends it. */
  readonly messageFile: string | undefined;
  /** Name of its cgroup, unique among the guests that run */
  readonly cgroupName: string;
  readonly limits: CgroupLimits;
}

/** Starts QEMU, within its limits where the machine allows that. */
export async function startQemu(start: QemuStart): Promise<QemuProcess> {
  const cgroup = await createCgroup(start.cgroupName, start.limits);
  try {
    const { messageFile } = start;
    const process =
      messageFile === undefined ? await spawnAttached(start, cgroup) : await spawnDetached(start, messageFile, cgroup);
    if (process.pid !== undefined) enterQuietly(cgroup, process.pid);
    return process;
  } catch (error) {
    await cgroup?.remove();
    throw error;
  }
}

/** One that has ended already cannot enter; one that may not is a guest without limits, which pyro doctor reports. */
function enterQuietly(cgroup: Cgroup | undefined, pid: number): void {
  try {
    cgroup?.enter(pid);
  } catch {
    // Both are said above.
  }
}

// Its end is listened for before anything else is waited for: one that ends at once would never be known to have ended.

async function spawnAttached({ qemu, args, stateFd }: QemuStart, cgroup: Cgroup | undefined): Promise<QemuProcess> {
  const [file = qemu, ...rest] = await tie(qemu, args);
  const pipes = ['ignore', 'pipe', 'pipe'] as const;
  const stdio = stateFd === undefined ? [...pipes] : [...pipes, stateFd];
  return new QemuProcess(spawn(file, rest, { detached: true, cwd: '/', stdio }), undefined, cgroup);
}

async function spawnDetached(
  { qemu, args, stateFd }: QemuStart,
  messageFile: string,
  cgroup: Cgroup | undefined,
): Promise<QemuProcess> {
  const messages = await open(messageFile, 'a', 0o600);
  try {
    const files = ['ignore', messages.fd, messages.fd] as const;
    const stdio = stateFd === undefined ? [...files] : [...files, stateFd];
    const child = spawn(qemu, [...args], { detached: true, cwd: '/', stdio });
    child.unref();
    return new QemuProcess(child, messageFile, cgroup);
  } finally {
    await messages.close();
  }
}

export class QemuProcess implements MachineProcess {
  readonly #child: ChildProcess;
  readonly #messageFile: string | undefined;
  readonly ended: Promise<void>;
  #console = '';
  #stderr = '';
  #hasEnded = false;

  constructor(child: ChildProcess, messageFile: string | undefined, cgroup: Cgroup | undefined) {
    this.#child = child;
    this.#messageFile = messageFile;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.addConsole(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptConsole);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    const onEnd = (): void => {
      this.#hasEnded = true;
      resolve();
    };
    child.once('error', (error) => {
      this.#stderr += error.message;
      onEnd();
    });
    child.once('exit', onEnd);
    // Whoever waits for the end finds nothing left of it.
    this.ended = promise.then(async () => await cgroup?.remove());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Console text that came another way than by our pipe. */
  addConsole(text: string): void {
    this.#console = (this.#console + text).slice(-keptConsole);
  }

  lastWords(): string {
    const messages = this.#messageFile === undefined ? this.#stderr : readMessages(this.#messageFile);
    return [...printableTail(this.#console, 12), ...printableTail(messages, 6)].join('\n');
  }

  /** Nothing in the guest is wanted any more, so it is not asked first. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) {
      this.#child.ref();
      this.#child.kill('SIGKILL');
    }
    await this.ended;
  }
}

function readMessages(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-keptConsole);
  } catch {
    // The folder of a guest that was deleted in between: it has no words left.
    return '';
  }
}
