// Runs the built executable as a user would, in folders of the test's own where that matters.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

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

/** Guests of this user that run now, by the name in their command line. */
export function runningGuests(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let line = '';
    try {
      line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    } catch {
      // Ended while we looked.
    }
    const match = /qemu-system[^\0]*\0(?:.*\0)?-name\0(pyro-[0-9a-z]+)/.exec(line);
    if (match?.[1] !== undefined) found.push(match[1]);
  }
  return found;
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
