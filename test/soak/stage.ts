// Where a soak takes place: a home, checkouts and temporary files of its own, and a server for the flood; all of it goes away again.
import { fork } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { root } from '../support/documents.ts';
import { gitIn } from '../support/hairy-repository.ts';
import type { ServerCommand } from '../support/mcp.ts';
import { openRealHome, type RealHome } from '../support/real-home.ts';
import { processesIn } from './processes.ts';
import type { Places } from './watch.ts';

export interface Stall {
  readonly ms: number;
  /** Of that the daemon itself has worked */
  readonly ownMs: number;
}

export interface Stage extends AsyncDisposable {
  readonly home: RealHome;
  readonly places: Places;
  /** Folder of the host for what clients bring in and take out */
  readonly work: string;
  readonly server: (cwd: string, ...flags: string[]) => ServerCommand;
  readonly makeCheckout: (number: number) => string;
  /** Port of the host that a hostile guest may reach, and the connections that came */
  readonly port: number;
  readonly connections: () => number;
  readonly stalls: () => Stall[];
  /** What the daemon has written down */
  readonly log: () => string;
  /** Ends the daemon, with whatever was not deleted before */
  readonly stopDaemon: () => Promise<void>;
}

const floodSchema = z.object({ port: z.number().optional(), connections: z.number().optional() });
const stallSchema = z.looseObject({ ms: z.number(), own_cpu_ms: z.number() });
/** Small repositories as people have them: parts of this one, each with a history of its own */
const sources = ['docs', 'guest', 'src/changes', 'test/unit'];

export async function openStage(): Promise<Stage> {
  const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'pk-')));
  // Whatever pyro leaves among the temporary files is seen there.
  process.env['TMPDIR'] = temporary;
  const home = openRealHome();
  const work = join(temporary, 'work');
  mkdirSync(work);
  const flood = fork(join(import.meta.dirname, 'flood-server.ts'));
  let connections = 0;
  const port = await new Promise<number>((resolve, reject) => {
    flood.once('error', reject);
    flood.on('message', (message) => {
      const told = floodSchema.parse(message);
      if (told.port !== undefined) resolve(told.port);
      connections = told.connections ?? connections;
    });
  });
  let isStopped = false;
  const stopDaemon = async (): Promise<void> => {
    if (isStopped) return;
    await home.json(z.unknown(), 'workspace', 'prune', '--all', '--force', '--json');
    await home.json(z.unknown(), 'daemon', 'stop', '--json');
    isStopped = true;
  };
  return {
    home,
    places: { home: home.folder, temporary, own: ['work', relative(temporary, home.folder), 'node-compile-cache'] },
    work,
    server: (cwd, ...flags) => {
      const args = ['mcp', 'serve', '--profile', 'workspace-full', ...flags];
      return { command: home.executable, args, env: home.env, cwd };
    },
    makeCheckout: (number) => {
      const part = sources[number % sources.length] ?? 'docs';
      const checkout = join(work, `checkout-${number}`);
      cpSync(join(root, part), join(checkout, part), { recursive: true });
      gitIn(checkout, 'init', '-q', '-b', 'main');
      gitIn(checkout, 'add', '-A');
      gitIn(checkout, 'commit', '-q', '-m', 'Begin');
      return checkout;
    },
    port,
    connections: () => connections,
    stalls: () => stallsIn(logOf(home)),
    log: () => logOf(home),
    stopDaemon,
    [Symbol.asyncDispose]: async () => {
      try {
        await stopDaemon();
      } finally {
        // Guests outlive a daemon that could not be asked to delete them; their home is about to go.
        for (const { pid } of processesIn(home.folder)) killIfThere(pid);
        if (flood.connected) flood.disconnect();
        rmSync(temporary, { recursive: true, force: true });
      }
    },
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended with another one.
  }
}

function logOf({ folder }: RealHome): string {
  const paths = ['daemon.log.1', 'daemon.log'].map((name) => join(folder, 'state', 'logs', name));
  return paths.flatMap((path) => (existsSync(path) ? [readFileSync(path, 'utf8')] : [])).join('');
}

function stallsIn(log: string): Stall[] {
  return log.split('\n').flatMap((line) => {
    if (!line.includes('"stall"')) return [];
    const parsed = stallSchema.safeParse(JSON.parse(line));
    return parsed.success ? [{ ms: parsed.data.ms, ownMs: parsed.data.own_cpu_ms }] : [];
  });
}
