// One process for one job: started ahead or on demand, lent the guests' sessions, held to its memory, ended with its call.
//
// It is no program that runs to its end on its own: it is talked to, and gets sessions with guests. So it is started here
// and not by system/command.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestClient } from '../../agent/guest-client.ts';
import { PyroError, systemCodeOf } from '../../shared/errors.ts';
import { formatBytes, mebibyte } from '../../shared/units.ts';
import { type Cgroup, createCgroup } from '../../system/cgroup.ts';
import { tie } from '../../system/command.ts';
import { childEnvironment } from '../../system/environment-variables.ts';
import { describeEnding, tailOf } from '../../system/last-words.ts';
import { residentBytes, yieldProcessor } from '../../system/processes.ts';
import { wasStopped, watchForStop } from '../../system/stopped-program.ts';
import type { JobRequest } from './job.ts';
import { type FromJob, firstGuest, fromFailure, mostGuests, type ToJob, toFailure } from './job-messages.ts';
import { relay } from './relay.ts';

export interface JobLimits {
  /** Memory of the process itself, `MiB` */
  readonly memoryMib: number;
  /** Memory of it and of the programs that it starts, where the machine has cgroups for us, `MiB` */
  readonly groupMib: number;
  /** Processes and threads together, there */
  readonly processCount: number;
  /** Time in which a job that is cancelled tidies up, `ms` */
  readonly graceMs: number;
}

export const jobLimits: JobLimits = { memoryMib: 1024, groupMib: 2048, processCount: 128, graceMs: 10_000 };
/** Part of the memory for objects of the language; the rest is buffers and the program itself */
const heapShare = 0.75;
const lookMs = 250;
/** How far a job, with what it starts, gives way to the daemon, which answers everybody else, in steps of nice(2) */
const jobSteps = 3;
/** How often, and how often at most, a cgroup that still holds something is looked at, `ms` */
const turnMs = 50;
const mostTurns = 40;

export class JobProcess {
  readonly #child: ChildProcess;
  readonly #limits: JobLimits;
  readonly #cgroup: Promise<Cgroup | undefined>;
  readonly #ended: Promise<PyroError>;
  /** Settles when nothing is left of it */
  readonly gone: Promise<void>;
  #isOver = false;
  #why: PyroError | undefined;

  /** `main` is our own executable. */
  constructor(main: string, limits: JobLimits) {
    this.#limits = limits;
    const heap = `--max-old-space-size=${Math.floor(limits.memoryMib * heapShare)}`;
    const [file = process.execPath, ...args] = tie(process.execPath, [heap, main, '__job']);
    const child = spawn(file, args, {
      // A group of its own, so that its end is that of all it has started.
      detached: true,
      cwd: '/',
      env: childEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...Array.from({ length: mostGuests }, () => 'pipe' as const)],
      serialization: 'advanced',
    });
    this.#child = child;
    // What breaks on a pipe shows in the end of the process.
    for (const pipe of child.stdio) pipe?.on('error', () => undefined);
    child.on('error', () => undefined);
    this.#ended = this.#untilEnd(child);
    if (child.pid !== undefined) yieldProcessor(child.pid, jobSteps);
    this.#cgroup = this.#confine(child.pid);
    this.gone = this.#ended.then(() => this.#leave());
    // One that waits for work must not keep the daemon.
    child.unref();
    child.channel?.unref();
    for (const pipe of child.stdio) if (pipe instanceof Socket) pipe.unref();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Does the job to its end; the process has ended when this comes back. */
  async run<Input, Output>(name: string, input: Input, request: JobRequest): Promise<Output> {
    using undo = new DisposableStack();
    const { signal, deadlineMs } = request;
    await this.#cgroup;
    for (const [at, guest] of request.guests.entries()) undo.use(this.#lend(at, guest));
    const answered = this.#answer<Output>(request);
    const { secrets, workFolder, guests } = request;
    this.#send({ run: { job: name, input, guests: guests.length, forms: secrets.forms, workFolder } });
    const onAbort = (): void => {
      // One that was stopped hears of it only when it goes on.
      this.#signal('SIGCONT');
      this.#send({ cancel: toFailure(signal.reason) });
      const timer = setTimeout(() => this.end(), this.#limits.graceMs);
      undo.defer(() => clearTimeout(timer));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    undo.defer(() => signal.removeEventListener('abort', onAbort));
    const deadline = setTimeout(() => this.end(tooSlow(deadlineMs)), deadlineMs);
    undo.defer(() => clearTimeout(deadline));
    const { pid } = this.#child;
    // What it has started it looks after itself.
    const stopped = (): void => this.end(wasStopped('the process for this work'));
    if (pid !== undefined) undo.use(watchForStop(pid, stopped, false));
    const looks = setInterval(() => this.#look(), lookMs);
    undo.defer(() => clearInterval(looks));
    try {
      return await Promise.race([
        answered,
        this.#ended.then((error) => {
          throw error;
        }),
      ]);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#why ?? error;
    } finally {
      this.end();
      await this.#ended;
    }
  }

  /** Ends it at once, with what it has started; the first reason is what its job throws. */
  end(why?: PyroError): void {
    this.#why ??= why;
    this.#signal('SIGKILL');
  }

  #signal(name: 'SIGCONT' | 'SIGKILL'): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#isOver) return;
    try {
      process.kill(-pid, name);
    } catch (error) {
      // It has ended by itself in this moment.
      if (systemCodeOf(error) !== 'ESRCH') throw error;
    }
  }

  #lend(at: number, guest: GuestClient): Disposable {
    const pipe = this.#child.stdio[firstGuest + at];
    if (pipe instanceof Duplex) return relay(pipe, guest);
    throw new PyroError('tool_failed', 'the process for this work could not be started', notStarted);
  }

  async #answer<Output>({ onProgress, signal }: JobRequest): Promise<Output> {
    const { promise, resolve, reject } = Promise.withResolvers<Output>();
    this.#child.on('message', (message: FromJob) => {
      if ('progress' in message) {
        if (!signal.aborted) onProgress(message.progress);
      } else if ('failure' in message) reject(fromFailure(message.failure));
      // Typed on this side by the job, which both sides have from one module.
      else resolve(message.output as Output);
    });
    return await promise;
  }

  #send(message: ToJob): void {
    // One that has ended says so itself.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  async #confine(pid: number | undefined): Promise<Cgroup | undefined> {
    if (pid === undefined) return undefined;
    const { groupMib, processCount } = this.#limits;
    const cgroup = await createCgroup(`job-${pid}`, { memoryBytes: groupMib * mebibyte, processCount });
    try {
      if (!this.#isOver) cgroup?.enter(pid);
    } catch {
      // It has ended by itself, or the machine changed its mind: the process looks after its memory all the same.
    }
    return cgroup;
  }

  /** Programs that it had started, and that were killed with it, are gone a moment later. */
  async #leave(): Promise<void> {
    const cgroup = await this.#cgroup;
    for (let turn = 0; turn < mostTurns; turn++) {
      if (cgroup === undefined || (await cgroup.remove())) return;
      await sleep(turnMs, undefined, { ref: false });
    }
  }

  #look(): void {
    const bytes = this.#child.pid === undefined ? 0 : residentBytes(this.#child.pid);
    if (bytes > this.#limits.memoryMib * mebibyte) this.end(tooLarge(this.#limits.memoryMib));
  }

  async #untilEnd(child: ChildProcess): Promise<PyroError> {
    const { stderr } = child;
    const said = stderr === null ? Promise.resolve('') : tailOf(stderr);
    // What it said last may be read only after its end is known: the channel closes behind that.
    const silent = new Promise<void>((resolve) => child.once('disconnect', () => resolve()));
    const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('exit', (exitCode, endSignal) => resolve({ code: exitCode, signal: endSignal }));
    });
    this.#isOver = true;
    if (child.connected) await silent;
    for (const pipe of child.stdio) pipe?.destroy();
    const text = await said;
    // V8 ends with an abort when its heap is full, the kernel with a kill.
    if (/heap out of memory|allocation failed/i.test(text)) return tooLarge(this.#limits.memoryMib);
    if (signal === 'SIGKILL')
      return new PyroError('work_too_large', 'this was ended by the system, most likely for its memory');
    const ending = { stderr: text, exitCode: code ?? 128, signal: signal ?? undefined };
    return new PyroError('tool_failed', describeEnding('the process for this work', ending), notStarted);
  }
}

const notStarted = { hint: 'nothing was changed; call again, and look at the log of the daemon if it stays so' };

function tooLarge(memoryMib: number): PyroError {
  return new PyroError(
    'work_too_large',
    `this takes more than the ${formatBytes(memoryMib * mebibyte)} of memory that it may have`,
  );
}

function tooSlow(ms: number): PyroError {
  return new PyroError('deadline_exceeded', `this was not done within ${Math.round(ms / 1000)} s, its longest time`, {
    hint: 'nothing more is done; give a narrower path, or look whether the guest answers: it sends what this works on',
  });
}
