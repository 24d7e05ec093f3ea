// Runs the built executable as a user would, in folders of the test's own where that matters.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCgroupHome } from '../../src/system/cgroup.ts';
import { locatePaths } from '../../src/system/paths.ts';
import { isRunning } from '../../src/system/processes.ts';

const root = new URL('../..', import.meta.url).pathname;
const executable = join(root, 'bin', 'pyro');

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface PyroOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Buffer | string;
  /** Called with the process id once it runs */
  readonly onSpawn?: (pid: number) => void;
}

export async function pyro(args: readonly string[], options: PyroOptions = {}): Promise<Finished> {
  const child = spawn(executable, args, { env: { ...process.env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { exitCode, stdout: Buffer.concat(stdout), stderr };
}

/** As {@link pyro}, but throws what a failure says; gives standard output. */
export async function succeed(args: readonly string[]): Promise<Buffer> {
  const { exitCode, stdout, stderr } = await pyro(args);
  if (exitCode !== 0) throw new Error(`pyro ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  return stdout;
}

/** Our own environment, for programs that are started by others. */
export function wholeEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

export interface RunningGuest {
  readonly pid: number;
  readonly name: string;
}

/** Guests of this home that run now, by their sockets and the name in their command line. */
export function findGuests(): RunningGuest[] {
  const mark = `path=${locatePaths().runtime}/`;
  const found: RunningGuest[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let line = '';
    try {
      line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    } catch {
      // Ended while we looked.
    }
    const match = /qemu-system[^\0]*\0(?:.*\0)?-name\0(pyro-[0-9a-z]+)/.exec(line);
    if (match?.[1] !== undefined && line.includes(mark)) found.push({ pid: Number(pid), name: match[1] });
  }
  return found;
}

export function runningGuests(): string[] {
  return findGuests().map(({ name }) => name);
}

/** What stands in pyro's run folders now: nothing, when no guest runs. */
export function leftovers(): string[] {
  const base = process.env['PYRO_HOME'];
  const state =
    base === undefined
      ? join(process.env['XDG_STATE_HOME'] ?? join(process.env['HOME'] ?? '/', '.local/state'), 'pyro')
      : join(base, 'state');
  try {
    return readdirSync(join(state, 'runs'));
  } catch {
    return [];
  }
}

/** Cgroups without a process whose maker has ended: nobody will remove them but a later start. */
export async function leftoverCgroups(): Promise<string[]> {
  const home = await findCgroupHome();
  if ('reason' in home) return [];
  // Processes of another namespace count there, which `cgroup.procs` does not show.
  const isOccupied = (name: string): boolean =>
    home.folders
      .map((folder) => join(folder, name, 'pids.current'))
      .some((path) => existsSync(path) && readFileSync(path, 'utf8') !== '0\n');
  return home.folders
    .flatMap((folder) => readdirSync(folder).map((name) => ({ folder, name })))
    .filter(({ folder, name }) => {
      const [, pid, ticks] = /^pyro-(\d+)-(\d+)-/.exec(name) ?? [];
      if (pid === undefined || isRunning({ pid: Number(pid), start_ticks: Number(ticks) })) return false;
      return readFileSync(join(folder, name, 'cgroup.procs'), 'utf8') === '' && !isOccupied(name);
    })
    .map(({ name }) => name);
}
