// A daemon in a process of its own whose guests lie by a script, with what is to be measured while and after they do.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDaemon } from '../../src/daemon/autostart.ts';
import { stopDaemon } from '../../src/daemon/control.ts';
import { locateDaemon } from '../../src/daemon/places.ts';
import type { DaemonProgram } from '../../src/daemon/program.ts';
import { callDaemon } from '../../src/daemon/remote.ts';
import { isPyroError } from '../../src/shared/errors.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { locatePaths } from '../../src/system/paths.ts';
import { identifyProcess } from '../../src/system/processes.ts';
import { version } from '../../src/version.ts';
import { isAlive, killNow } from './kill.ts';
import type { Lie } from './lies.ts';
import { plantEnvironment } from './stand-in-engine.ts';
import { buildAgent } from './stand-in-machine.ts';

const daemonFile = new URL('lying-daemon.ts', import.meta.url).pathname;

export type Output = Readonly<Record<string, unknown>>;
export type Outcome =
  | { readonly output: Output; readonly ms: number }
  | { readonly code: string; readonly message: string; readonly ms: number };

export class LyingHouse implements AsyncDisposable {
  readonly folder: string;
  readonly #program: DaemonProgram;
  pid: number;

  private constructor(folder: string, program: DaemonProgram, pid: number) {
    this.folder = folder;
    this.#program = program;
    this.pid = pid;
  }

  /** Over stand-in guests; with a guest kit over real ones, which take their lies by {@link lieInside}. */
  static async open(kit?: string): Promise<LyingHouse> {
    const folder = mkdtempSync(join(tmpdir(), 'pl-'));
    const home = join(folder, 'home');
    const lies = join(folder, 'lies');
    mkdirSync(lies);
    const standIns = join(folder, 'stand-ins');
    mkdirSync(standIns);
    mkdirSync(home);
    // Hard links: nothing of the cache is ever written in place.
    if (kit === undefined) {
      buildAgent(standIns, ['-tags', 'liar']);
      await plantEnvironment(join(home, 'cache'));
    } else execFileSync('cp', ['-al', locatePaths().cache, join(home, 'cache')]);
    const program: DaemonProgram = {
      command: [process.execPath, '--max-semi-space-size=4', daemonFile, home, lies, standIns, kit ?? ''],
      version,
      paths: {
        cache: join(home, 'cache'),
        state: join(home, 'state'),
        config: join(home, 'config'),
        runtime: join(home, 'run'),
      },
    };
    return new LyingHouse(folder, program, await start(program));
  }

  /** As a person would: guests run on, and the next daemon takes them over. */
  async replaceDaemon(): Promise<void> {
    await stopDaemon(await locateDaemon(this.#program.paths), { force: false }, AbortSignal.timeout(60_000));
    this.pid = await start(this.#program);
  }

  /** Throws what the daemon answered. */
  async call(operation: string, input: Output, signal = AbortSignal.timeout(300_000)): Promise<Output> {
    const body = {
      operation,
      input,
      context: { host_paths: 'any', project: null, network: null, front: { version, pid: process.pid } },
    };
    return await callDaemon(this.#program, JSON.stringify(body), { signal, onProgress: noProgress });
  }

  /** The answer or the code of the error, with the time that it took. */
  async outcome(operation: string, input: Output, signal?: AbortSignal): Promise<Outcome> {
    const startedAt = performance.now();
    try {
      const output = await this.call(operation, input, signal);
      return { output, ms: performance.now() - startedAt };
    } catch (error) {
      if (!isPyroError(error)) throw error;
      return { code: error.code, message: error.message, ms: performance.now() - startedAt };
    }
  }

  async create(fields: Output = {}): Promise<string> {
    const output = await this.call('workspace.create', {
      environment: 'debian:12',
      ttl_seconds: 0,
      mem_mib: 256,
      ...fields,
    });
    return String(output['workspace_id']);
  }

  async exec(id: string, command: string): Promise<Output> {
    return await this.call('workspace.exec', { workspace_id: id, command, wait_seconds: 30 });
  }

  /** From now on the guest of a workspace tells these lies; none make it honest. */
  lie(id: string, ...lies: readonly Lie[]): void {
    put(this.#socketsOf(id), lies);
  }

  /** The same for a real guest, which finds the script in itself; a reset makes it honest. */
  async lieInside(id: string, ...lies: readonly Lie[]): Promise<void> {
    await this.call('workspace.file.write', { workspace_id: id, path: '/tmp/lies~', text: JSON.stringify(lies) });
    await this.exec(id, 'mv /tmp/lies~ /tmp/pyro-lies');
  }

  /** Guests that start from now on lie from their first byte. */
  lieFromStart(...lies: readonly Lie[]): void {
    put(join(this.folder, 'lies'), lies);
  }

  /** What the guest of a workspace has recorded by a lie. */
  recorded(id: string, name: string): { readonly heard: Buffer; readonly said: Buffer } {
    const read = (kind: string): Buffer => readFileSync(join(this.#socketsOf(id), `${name}.${kind}`));
    return { heard: read('heard'), said: read('said') };
  }

  /** Folder of the sockets of all guests */
  get runtimeFolder(): string {
    return this.#program.paths.runtime;
  }

  #socketsOf(id: string): string {
    const record = readFileSync(join(this.#program.paths.state, 'workspaces', id, 'workspace.json'), 'utf8');
    return join(this.#program.paths.runtime, JSON.parse(record).guest.folder);
  }

  /** Most memory of the daemon since {@link forgetPeak}, `MiB` */
  get peakMib(): number {
    return this.#statusMib('VmHWM');
  }

  get residentMib(): number {
    return this.#statusMib('VmRSS');
  }

  #statusMib(name: string): number {
    const found = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'));
    return Number(found?.[1]) / 1024;
  }

  forgetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
  }

  /** Sockets, pipes and files that the daemon has open. */
  get openFiles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Processes below the daemon that are neither guests nor ready for work. */
  get children(): number[] {
    const direct = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').split(' ').filter(Boolean);
    const others = direct.map(Number).filter((pid) => !/^unshare\0|^[^\0]*(qemu-system|confine)/.test(lineOf(pid)));
    const isJob = (pid: number): boolean => lineOf(pid).includes('\0__job');
    // One waits for the next call.
    return [...others.filter((pid) => !isJob(pid)), ...others.filter(isJob).slice(1)];
  }

  get daemonLog(): string {
    return readFileSync(join(this.#program.paths.state, 'logs', 'daemon.log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const guests = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number);
    // Guests that another daemon had started are not among its children.
    await this.outcome('workspace.prune', { all: true, force: true }, AbortSignal.timeout(60_000)).catch(
      () => undefined,
    );
    const places = await locateDaemon(this.#program.paths);
    await stopDaemon(places, { force: true }, AbortSignal.timeout(60_000)).catch(() => undefined);
    for (const pid of [this.pid, ...guests]) if (isAlive(pid) && identifyProcess(pid) !== undefined) killNow(pid);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Id of the process. */
async function start(program: DaemonProgram): Promise<number> {
  const places = await locateDaemon(program.paths);
  await startDaemon(program, places, AbortSignal.timeout(60_000));
  return Number(/\d+/.exec(readFileSync(places.lifetimeLock, 'utf8'))?.[0]);
}

/** Command line of a process; of one that has just ended, that of a guest, which is not looked for. */
function lineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return 'unshare\0';
  }
}

/** It is there whole or not at all, and is another one each time: the liar counts anew. */
function put(folder: string, lies: readonly Lie[]): void {
  const file = join(folder, 'lies');
  writeFileSync(`${file}~`, `${JSON.stringify(lies)}${' '.repeat(Math.round(performance.now() * 10) % 4093)}`);
  renameSync(`${file}~`, file);
}

export interface Seen {
  /** Median of commands */
  readonly execMs: number;
  /** Longest of lists */
  readonly listMs: number;
  /** Number of commands */
  readonly count: number;
}

/** What another workspace meets: it lists and runs a command again and again until it is told to stop. */
export class Bystander {
  readonly #house: LyingHouse;
  readonly #id: string;
  readonly execs: number[] = [];
  readonly lists: number[] = [];
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(house: LyingHouse, id: string) {
    this.#house = house;
    this.#id = id;
  }

  /** Takes a number of turns and gives the median times. */
  async measure(turns: number): Promise<Seen> {
    this.execs.length = 0;
    for (let turn = 0; turn < turns; turn++) await this.#turn();
    return this.seen();
  }

  watch(): void {
    this.execs.length = 0;
    this.lists.length = 0;
    this.#stop = new AbortController();
    const go = async (): Promise<void> => {
      do await this.#turn();
      while (!this.#stop.signal.aborted);
    };
    this.#running = go();
    // Told by whoever asks for what was seen.
    this.#running.catch(() => undefined);
  }

  async #turn(): Promise<void> {
    const list = await this.#house.outcome('workspace.list', {});
    if ('code' in list) throw new Error(`list: ${list.code}: ${list.message}`);
    this.lists.push(list.ms);
    const exec = await this.#house.outcome('workspace.exec', { workspace_id: this.#id, command: 'true' });
    if ('code' in exec) throw new Error(`exec: ${exec.code}: ${exec.message}`);
    this.execs.push(exec.ms);
  }

  seen(): Seen {
    return { execMs: median(this.execs), listMs: Math.max(...this.lists), count: this.execs.length };
  }

  /** Once more at least: a moment that was over quickly is seen, too. */
  async stop(): Promise<Seen> {
    this.#stop.abort();
    await this.#running;
    return this.seen();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
