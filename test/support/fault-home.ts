// A home with a daemon over stand-in guests that is a process of its own: its writes fail and it is killed as a test orders.
import { type ChildProcess, fork } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { callBody } from '../../src/daemon/client.ts';
import { callDaemon } from '../../src/daemon/remote.ts';
import { addEnvironment, openStore } from '../../src/environment/store.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { makeFolder } from '../../src/system/folders.ts';
import type { Paths } from '../../src/system/paths.ts';
import { isRunning, processIdentitySchema } from '../../src/system/processes.ts';
import { version } from '../../src/version.ts';
import { examineHome } from './fault-doctor.ts';
import type { FaultOrder, FaultReport } from './fault-layer.ts';
import { isAlive, killNow } from './kill.ts';
import { processesOf } from './real-home.ts';
import { buildAgent } from './stand-in-machine.ts';
import { until, untilListening } from './until.ts';

const here = new URL('.', import.meta.url).pathname;
const reportSchema = z.object({ places: z.array(z.string()), steps: z.number(), hits: z.number() });
const createdSchema = z.object({ workspace_id: z.string() });
const execSchema = z.object({ stdout: z.string(), exit_code: z.number() });
const listSchema = z.object({ workspaces: z.array(z.object({ workspace_id: z.string(), state: z.string() })) });
const recordSchema = z.object({
  layers: z.record(z.string(), z.string().nullable()),
  guest: z.object({ process: processIdentitySchema, folder: z.string() }).nullable(),
});

/** What may lie in the state folder when nothing is half done */
const usual = /^(workspaces|runs|logs|damaged\.json|daemon\.json|daemon\.lock|audit|reserve)$/;
/** A lock that its owner's end has left is nobody's, and taken over by the next */
const projectFile = /^[0-9a-f]{64}\.(img|json|lock)$/;
const keptDiff = /^diff-[0-9a-f]{12}\.(patch|entries)$/;

export class FaultHome implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'pz-'));
  /** For what goes in and comes out */
  readonly host = join(this.folder, 'host');
  readonly paths: Paths = {
    cache: join(this.folder, 'cache'),
    state: join(this.folder, 'state'),
    config: join(this.folder, 'config'),
    runtime: join(this.folder, 'run'),
  };
  readonly #standIn = mkdtempSync(join(tmpdir(), 'ps-'));
  readonly #env: Readonly<Record<string, string>>;
  #daemon: ChildProcess | undefined;
  #said = '';

  private constructor(env: Readonly<Record<string, string>>) {
    const { CLAUDE_PROJECT_DIR: _project, ...inherited } = process.env;
    const temporary = join(this.folder, 'tmp');
    for (const made of [temporary, this.host]) mkdirSync(made);
    const known = Object.entries(inherited).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    this.#env = {
      ...Object.fromEntries(known),
      PYRO_HOME: this.folder,
      TMPDIR: temporary,
      PYRO_STAND_IN: this.#standIn,
      NODE_COMPILE_CACHE: join(this.#standIn, 'compiled'),
      ...env,
    };
    buildAgent(this.#standIn);
  }

  static async open(env: Readonly<Record<string, string>> = {}): Promise<FaultHome> {
    const home = new FaultHome(env);
    const { cache } = home.paths;
    await makeFolder(cache);
    const image = join(cache, 'root.img');
    await writeFile(image, 'the root is that of this host');
    const config = { env: ['PATH=/usr/local/bin:/usr/bin:/bin'], working_dir: '', user: '', entrypoint: [], cmd: [] };
    const made = { version: 1, name: 'debian:12', reference: 'none', created_at: '2026-01-01' } as const;
    const from = { source: 'packages', config, layers: 1 } as const;
    await addEnvironment(openStore(cache), { ...made, ...from, packages: [] }, image);
    await home.start();
    return home;
  }

  get pid(): number | undefined {
    return this.#daemon?.pid;
  }

  /** What the daemons have written to their standard error */
  get said(): string {
    return this.#said;
  }

  async start(wrapper: readonly string[] = []): Promise<void> {
    const layer = new URL('fault-layer.ts', import.meta.url).href;
    // A program before it sets limits, say, and becomes the daemon.
    const [execPath = process.execPath, ...before] = [...wrapper, process.execPath];
    const options = { env: this.#env, execPath, execArgv: [...before, '--import', layer] };
    const daemon = fork(join(here, 'fault-daemon.ts'), [], { ...options, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    daemon.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-20_000);
    });
    daemon.on('error', () => undefined);
    this.#daemon = daemon;
    const socket = join(this.paths.runtime, 'daemon.sock');
    const ended = new Promise<never>((_, reject) =>
      daemon.once('exit', (code, signal) => reject(new Error(`the daemon ended: ${code ?? signal}: ${this.#said}`))),
    );
    await Promise.race([untilListening(socket), ended]);
    ended.catch(() => undefined);
  }

  hasEnded(): boolean {
    return this.#daemon?.exitCode !== null || this.#daemon?.signalCode !== null;
  }

  /** Kills the daemon unless it has ended, and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    if (!this.hasEnded()) daemon.kill(signal);
    await until(() => this.hasEnded());
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Gives an order, and what has happened since the last one. */
  async order(order: FaultOrder): Promise<FaultReport> {
    const daemon = this.#daemon;
    if (daemon === undefined) throw new Error('there is no daemon');
    return await new Promise((resolve, reject) => {
      daemon.once('message', (message) => resolve(reportSchema.parse(message)));
      daemon.send(order, (error) => (error === null ? undefined : reject(error)));
    });
  }

  async call(
    operation: string,
    input: Readonly<Record<string, unknown>>,
    signal: AbortSignal = AbortSignal.timeout(60_000),
  ): Promise<Readonly<Record<string, unknown>>> {
    // A daemon that is gone is the test's to start.
    const program = { command: ['false'], version, paths: this.paths };
    const context = { signal, onProgress: noProgress, io: undefined, hostPaths: 'any', project: undefined } as const;
    const body = callBody(program, operation, input, { ...context, network: undefined });
    return await callDaemon(program, JSON.stringify(body), context);
  }

  async create(input: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const wanted = { environment: 'debian:12', ttl_seconds: 0, ...input };
    return createdSchema.parse(await this.call('workspace.create', wanted)).workspace_id;
  }

  async sh(id: string, command: string): Promise<string> {
    const { stdout, exit_code: code } = execSchema.parse(
      await this.call('workspace.exec', { workspace_id: id, command }),
    );
    if (code !== 0) throw new Error(`${command}: ${code}`);
    return stdout;
  }

  async list(): Promise<Map<string, string>> {
    const { workspaces } = listSchema.parse(await this.call('workspace.list', { limit: 100 }));
    return new Map(workspaces.map(({ workspace_id: id, state }) => [id, state]));
  }

  on(name: string, text?: string): string {
    const path = join(this.host, name);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  }

  /** What does not belong to a workspace that is there: all of it was left behind. */
  async leftovers(): Promise<string[]> {
    const ids = new Set((await this.list()).keys());
    const { state, runtime } = this.paths;
    const found = [
      ...entries(this.host).filter((name) => name.includes('.partial-')),
      ...entries(join(this.folder, 'tmp')).map((name) => `tmp/${name}`),
      ...entries(state).filter((name) => !usual.test(name)),
      ...entries(join(this.paths.cache, 'projects'))
        .filter((name) => !projectFile.test(name))
        .map((name) => `projects/${name}`),
    ];
    const workspaces = join(state, 'workspaces');
    const sockets = new Set(entries(runtime).filter((name) => name !== 'daemon.sock'));
    const guests = new Set(processesOf(this.folder).filter((line) => line.includes('qemu,path=')));
    for (const name of entries(workspaces)) if (!ids.has(name)) found.push(`workspaces/${name}`);
    for (const id of ids) {
      const folder = join(workspaces, id);
      const record = recordSchema.parse(JSON.parse(readFileSync(join(folder, 'workspace.json'), 'utf8')));
      if (record.guest !== null && isRunning(record.guest.process)) {
        sockets.delete(record.guest.folder);
        for (const line of guests) if (line.includes(record.guest.folder)) guests.delete(line);
      }
      const layers = entries(folder).filter((name) => name.startsWith('disk-'));
      for (const layer of layers) if (!(layer in record.layers)) found.push(`${id}/${layer}`);
      for (const layer of Object.keys(record.layers)) if (!layers.includes(layer)) found.push(`lost ${id}/${layer}`);
      for (const name of entries(folder)) if (name.includes('.partial-')) found.push(`${id}/${name}`);
      for (const name of entries(join(folder, 'scratch')))
        if (!keptDiff.test(name)) found.push(`${id}/scratch/${name}`);
    }
    return [...found, ...sockets, ...guests];
  }

  /** Asks doctor, deletes all workspaces, ends the daemon, and gives what is wrong or left: nothing. */
  async close(): Promise<string[]> {
    if (this.hasEnded()) await this.start();
    const found = await this.doctor();
    for (const id of (await this.list()).keys()) await this.call('workspace.delete', { workspace_id: id });
    const left = await this.leftovers();
    await this.kill('SIGTERM');
    return [...found, ...left, ...entries(this.paths.runtime), ...processesOf(this.folder)];
  }

  /** Why doctor does not call it ready; nothing where it does. */
  async doctor(): Promise<string[]> {
    return await examineHome(this.paths);
  }

  /** Kills whatever of this home still runs; the end of one brings that of another with it. */
  killGuests(): void {
    for (const line of processesOf(this.folder)) {
      const pid = Number.parseInt(line, 10);
      if (isAlive(pid)) killNow(pid);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.killGuests();
    for (const folder of [this.folder, this.#standIn]) rmSync(folder, { recursive: true, force: true });
  }
}

function entries(folder: string): string[] {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder);
}
