// Starts QEMU in a session of its own: tied to our life, or, for a workspace, to outlive us.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type Cgroup, type CgroupLimits, createCgroup } from '../system/cgroup.ts';
import { tie } from '../system/command.ts';
import { identifyProcess, killProcess, type ProcessIdentity, yieldProcessor } from '../system/processes.ts';
import { wasStopped, watchForStop } from '../system/stopped-program.ts';
import { programEnvironment } from './confinement.ts';
import type { ConfinedStart } from './confinement-plan.ts';
import { keptConsole, type MachineProcess, printableTail } from './machine-process.ts';

export interface QemuStart {
  readonly qemu: string;
  readonly args: readonly string[];
  /** Becomes file descriptor 3 */
  readonly stateFd: number | undefined;
  /** How it is shut in; absent where it is not */
  readonly confined?: ConfinedStart | undefined;
  /** File for QEMU's own messages: the process then outlives us. Without it even kill -9 of pyro ends it. */
  readonly messageFile: string | undefined;
  /** Name of its cgroup, unique among the guests that run */
  readonly cgroupName: string;
  readonly limits: CgroupLimits;
}

/** Guests that compute hold up neither who answers for them on the same processors nor the person there; steps of nice(2). */
const guestSteps = 5;

/** Starts QEMU, within its limits where the machine allows that. */
export async function startQemu(start: QemuStart): Promise<QemuProcess> {
  const cgroup = await createCgroup(start.cgroupName, start.limits);
  try {
    const { messageFile } = start;
    const process =
      messageFile === undefined ? await spawnAttached(start, cgroup) : await spawnDetached(start, messageFile, cgroup);
    await process.begun;
    if (start.confined !== undefined && process.pid === undefined) return await startUnconfined(start, process);
    if (process.pid !== undefined) {
      enterQuietly(cgroup, process.pid);
      yieldProcessor(process.pid, guestSteps);
    }
    return process;
  } catch (error) {
    await cgroup?.remove();
    throw error;
  }
}

/** QEMU was not even begun: what shuts it in has failed, and a guest less confined is better than none. */
async function startUnconfined(start: QemuStart, failed: QemuProcess): Promise<QemuProcess> {
  await failed.kill();
  // Whoever stops programs is no reason to shut QEMU in less.
  if (failed.wasStopped) throw wasStopped('what shuts QEMU in');
  start.confined?.onFailure(failed.lastWords());
  return await startQemu({ ...start, confined: undefined });
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

async function spawnAttached(start: QemuStart, cgroup: Cgroup | undefined): Promise<QemuProcess> {
  const [program, ...args] = programLine(start);
  const [file = program, ...rest] = tie(program, args);
  return new QemuProcess(launch(start, file, rest, ['pipe', 'pipe']), start, cgroup);
}

async function spawnDetached(start: QemuStart, messageFile: string, cgroup: Cgroup | undefined): Promise<QemuProcess> {
  const [program, ...args] = programLine(start);
  const messages = await open(messageFile, 'a', 0o600);
  try {
    const child = launch(start, program, args, [messages.fd, messages.fd]);
    child.unref();
    return new QemuProcess(child, start, cgroup);
  } finally {
    await messages.close();
  }
}

function programLine({ qemu, args, confined }: QemuStart): [string, ...string[]] {
  return confined === undefined ? [qemu, ...args] : [confined.launcher, confined.name];
}

type Output = 'pipe' | number;

/** Descriptor 3 is the state, 4 where the launcher tells the id of the process that is QEMU. */
function launch(
  { qemu, args: line, stateFd, confined }: QemuStart,
  file: string,
  args: readonly string[],
  outputs: readonly [Output, Output],
): ChildProcess {
  const state = stateFd ?? 'ignore';
  const report = confined === undefined ? 'ignore' : 'pipe';
  const plain = Object.fromEntries(programEnvironment().map((line) => line.split(/=(.*)/s, 2)));
  const env =
    confined === undefined
      ? plain
      : { ...plain, PYRO_CONFINE: JSON.stringify({ ...confined.spec, line: [qemu, ...line] }) };
  return spawn(file, [...args], { detached: true, cwd: '/', env, stdio: ['ignore', ...outputs, state, report] });
}

/** The process id on the first line; undefined where it ends before it is told. */
async function readProcessId(from: Readable): Promise<number | undefined> {
  let text = '';
  try {
    for await (const chunk of from) {
      text += String(chunk);
      if (text.includes('\n')) break;
    }
  } catch {
    // The launcher has ended: its end says why.
  }
  const pid = Number.parseInt(text, 10);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}

export class QemuProcess implements MachineProcess {
  readonly #child: ChildProcess;
  readonly #messageFile: string | undefined;
  readonly ended: Promise<void>;
  /** Settles when the process that is QEMU is known, or will never be */
  readonly begun: Promise<void>;
  /** QEMU itself, where the child is only what shuts it in */
  #inner: ProcessIdentity | undefined;
  readonly #isConfined: boolean;
  #console = '';
  #stderr = '';
  #hasEnded = false;
  #wasStopped = false;

  constructor(child: ChildProcess, start: QemuStart, cgroup: Cgroup | undefined) {
    this.#child = child;
    this.#messageFile = start.messageFile;
    this.#isConfined = start.confined !== undefined;
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
    this.ended = promise.then(async () => {
      await cgroup?.remove();
    });
    this.begun = this.#learnInner(promise);
  }

  async #learnInner(end: Promise<void>): Promise<void> {
    const report = this.#child.stdio[4];
    if (!this.#isConfined || !(report instanceof Readable)) return;
    const launcher = this.#child.pid;
    using _watch =
      launcher === undefined
        ? undefined
        : watchForStop(launcher, () => {
            this.#wasStopped = true;
            this.#child.kill('SIGKILL');
          });
    const pid = await Promise.race([readProcessId(report), end]);
    report.destroy();
    this.#inner = typeof pid === 'number' ? identifyProcess(pid) : undefined;
  }

  get pid(): number | undefined {
    return this.#isConfined ? this.#inner?.pid : this.#child.pid;
  }

  /** True where what was to shut it in was stopped by a signal, and ended for it. */
  get wasStopped(): boolean {
    return this.#wasStopped;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get console(): string {
    return this.#console;
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
      // Until QEMU is gone its files are locked: what shuts it in ends after it, whatever it was told.
      await this.begun;
      if (this.#inner !== undefined) await killProcess(this.#inner);
      if (!this.#hasEnded) this.#child.kill('SIGKILL');
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
