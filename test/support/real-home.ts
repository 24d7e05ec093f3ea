// The built executable with its own daemon in a home of the test's own, and what of that home is still there at the end.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { locatePaths } from '../../src/system/paths.ts';

export const executable = join(new URL('../..', import.meta.url).pathname, 'bin', 'pyro');

export interface RealHome {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly executable: string;
  readonly start: (args: readonly string[], cwd?: string) => ChildProcess;
  /** Runs to its end with --json, and gives what was printed, checked; a failed command throws its words */
  readonly json: <T>(schema: z.ZodType<T>, ...args: readonly string[]) => Promise<T>;
  readonly list: () => Promise<Listed[]>;
  readonly daemonPid: () => Promise<number | undefined>;
  /** Deletes all workspaces, ends the daemon, and gives what is left: nothing, when nothing leaks */
  readonly close: () => Promise<Remains>;
}

export interface Remains {
  readonly processes: readonly string[];
  readonly sockets: readonly string[];
  readonly workspaces: readonly string[];
  readonly locks: readonly string[];
}

export const nothing: Remains = { processes: [], sockets: [], workspaces: [], locks: [] };

const listedSchema = z.object({
  workspace_id: z.string(),
  name: z.string().nullable(),
  state: z.string(),
});
type Listed = z.infer<typeof listedSchema>;
const statusSchema = z.object({ daemon: z.object({ pid: z.number() }).nullable() });

export function openRealHome(): RealHome {
  const folder = mkdtempSync(join(tmpdir(), 'ps-'));
  // Hard links: nothing of the cache is ever written in place, and pyro takes no folder that is a link.
  const copied = spawnSync('cp', ['-al', locatePaths().cache, join(folder, 'cache')], { encoding: 'utf8' });
  if (copied.status !== 0) throw new Error(copied.stderr);
  const { CLAUDE_PROJECT_DIR: _project, ...inherited } = process.env;
  const env: Record<string, string> = { PYRO_HOME: folder };
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && env[name] === undefined) env[name] = value;
  }
  const start: RealHome['start'] = (args, cwd) =>
    spawn(executable, args, { env, stdio: ['pipe', 'pipe', 'pipe'], ...(cwd === undefined ? {} : { cwd }) });
  const json: RealHome['json'] = async (schema, ...args) => {
    const child = start(args);
    child.stdin?.end();
    return schema.parse(JSON.parse(await outputOf(child)));
  };
  const daemonPid: RealHome['daemonPid'] = async () =>
    (await json(statusSchema, 'daemon', 'status', '--json')).daemon?.pid;
  const list: RealHome['list'] = async () =>
    (await json(z.object({ workspaces: z.array(listedSchema) }), 'workspace', 'list', '--json')).workspaces;
  return {
    folder,
    env,
    executable,
    start,
    json,
    list,
    daemonPid,
    close: async () => {
      await json(z.unknown(), 'workspace', 'prune', '--all', '--force', '--json');
      await json(z.unknown(), 'daemon', 'stop', '--json');
      const remains: Remains = {
        processes: processesOf(folder),
        sockets: entries(join(folder, 'run')),
        workspaces: entries(join(folder, 'state', 'workspaces')),
        locks: [...entries(join(folder, 'state')), ...entries(join(folder, 'cache', 'locks'))].filter((name) =>
          name.includes('.lock'),
        ),
      };
      rmSync(folder, { recursive: true, force: true });
      return remains;
    },
  };
}

/** Standard output of a command that succeeds. */
export async function outputOf(child: ChildProcess): Promise<string> {
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString('utf8');
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${code}: ${output}${errors}`);
  return output;
}

/** Processes that name the folder in their command line or have it as their home, apart from the test itself. */
export function processesOf(folder: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const line = contentOf(`/proc/${pid}/cmdline`);
    const isOurs =
      line.includes(folder) || contentOf(`/proc/${pid}/environ`).split('\0').includes(`PYRO_HOME=${folder}`);
    return isOurs && line !== '' ? [`${pid} ${line.replaceAll('\0', ' ').slice(0, 200)}`] : [];
  });
}

/** Ids of the processes of QEMU that name the folder. */
export function guestsOf(folder: string): number[] {
  return processesOf(folder)
    .filter((line) => line.includes('qemu-system'))
    .map((line) => Number.parseInt(line, 10));
}

function entries(folder: string): string[] {
  if (!existsSync(folder) || !lstatSync(folder).isDirectory()) return [];
  return readdirSync(folder);
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Ended while we looked, or another user's.
    return '';
  }
}
