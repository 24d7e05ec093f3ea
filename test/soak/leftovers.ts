// What is still there when everybody has deleted what was theirs, and when the daemon has been stopped after that.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { processesIn } from './processes.ts';
import { mountsIn, type Places, temporaryIn, treeOf, type Watch } from './watch.ts';

/** While the daemon runs: it may hold its socket, its lock, and one process ready for the next job. */
export async function leftBeside({ home, temporary, own }: Places, watch: Watch): Promise<string[]> {
  const processes = processesIn(home).filter(({ kind }) => kind !== 'daemon');
  const jobs = processes.filter(({ kind }) => kind === 'job');
  const isReady = (name: string): boolean => jobs.length === 1 && name.includes(`-job-${jobs[0]?.pid}`);
  return [
    ...processes.filter((each) => each !== jobs[0]).map(({ pid, line }) => `process ${pid} ${line.slice(0, 160)}`),
    ...(await watch.cgroups()).filter((name) => !isReady(name)).map((name) => `cgroup ${name}`),
    ...(await named(join(home, 'run'), (name) => name !== 'daemon.sock')),
    ...(await named(join(home, 'state', 'workspaces'))),
    ...(await named(join(home, 'state', 'runs'))),
    ...(await drafts(join(home, 'cache'))),
    ...(await temporaryIn(temporary, own)).map((name) => `temporary ${name}`),
    ...mountsIn(temporary).map((line) => `mount ${line}`),
  ];
}

/** After the daemon's end nothing may be there that runs, listens or is locked. */
export async function leftBehind({ home, temporary, own }: Places, watch: Watch): Promise<string[]> {
  return [
    ...processesIn(home).map(({ pid, line }) => `process ${pid} ${line.slice(0, 160)}`),
    ...(await watch.cgroups()).map((name) => `cgroup ${name}`),
    ...(await named(join(home, 'run'))),
    ...(await named(join(home, 'state', 'workspaces'))),
    ...(await named(join(home, 'state', 'memory'))),
    ...(await named(join(home, 'state'), (name) => name.includes('.lock'))),
    ...(await drafts(join(home, 'cache'))),
    ...(await temporaryIn(temporary, own)).map((name) => `temporary ${name}`),
    ...mountsIn(temporary).map((line) => `mount ${line}`),
  ];
}

async function named(folder: string, counts: (name: string) => boolean = () => true): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter(counts).map((name) => join(folder, name));
}

async function drafts(folder: string): Promise<string[]> {
  const { names } = await treeOf(folder);
  return names.filter((name) => name.includes('.partial-') || name.endsWith('.lock')).map((name) => `cache ${name}`);
}
