// Looks at the machine every few seconds: what the daemon holds, and all that belongs to the home of the soak.
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { findCgroupHome } from '../../src/system/cgroup.ts';
import { descriptors, memoryMib, processesIn, processorSeconds } from './processes.ts';

export interface Sample {
  /** Since the beginning, `ms` */
  readonly atMs: number;
  readonly daemonPids: readonly number[];
  /** Memory of the daemon, and of the largest server and job beside it, `MiB` */
  readonly daemonMib: number;
  readonly serverMib: number;
  readonly jobMib: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly processes: number;
  readonly guests: number;
  readonly jobs: number;
  readonly zombies: number;
  readonly cgroups: number;
  readonly mounts: number;
  readonly runtimeFiles: number;
  readonly stateFiles: number;
  readonly cacheFiles: number;
  readonly temporaryFiles: number;
  readonly stateMib: number;
  readonly cacheMib: number;
  readonly freeMib: number;
  readonly load: number;
}

export interface Places {
  readonly home: string;
  /** Where the home lies, with the temporary files of pyro beside it */
  readonly temporary: string;
  /** Names in it that are the soak's own */
  readonly own: readonly string[];
}

/** Makers of cgroups that are ours: the daemons and servers that have been seen. */
export class Watch {
  readonly #places: Places;
  readonly #makers = new Set<number>();

  constructor(places: Places) {
    this.#places = places;
  }

  async look(atMs: number): Promise<Sample> {
    const { home, temporary, own } = this.#places;
    const found = processesIn(home);
    const of = (kind: string): number[] => found.filter((each) => each.kind === kind).map(({ pid }) => pid);
    for (const { pid, kind } of found) if (kind === 'daemon' || kind === 'server') this.#makers.add(pid);
    const [daemon = 0] = of('daemon');
    const { all, sockets } = descriptors(daemon);
    const state = await treeOf(join(home, 'state'));
    const cache = await treeOf(join(home, 'cache'));
    return {
      atMs,
      daemonPids: of('daemon'),
      daemonMib: memoryMib(daemon, 'VmRSS'),
      serverMib: largest(of('server')),
      jobMib: largest(of('job')),
      descriptors: all,
      sockets,
      processes: found.length,
      guests: of('qemu').length,
      jobs: of('job').length,
      zombies: of('zombie').length,
      cgroups: (await this.cgroups()).length,
      mounts: mountsIn(temporary).length,
      runtimeFiles: (await treeOf(join(home, 'run'))).names.length,
      stateFiles: state.names.length,
      cacheFiles: cache.names.length,
      temporaryFiles: (await temporaryIn(temporary, own)).length,
      stateMib: state.mib,
      cacheMib: cache.mib,
      freeMib: Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) / 1024,
      load: loadavg()[0] ?? 0,
    };
  }

  /** Those whose names say that a daemon or server of this home made them. */
  async cgroups(): Promise<string[]> {
    const home = await findCgroupHome();
    if ('reason' in home) return [];
    const names = await Promise.all(home.folders.map((folder) => readdir(folder)));
    return names.flat().filter((name) => this.#makers.has(Number(/^pyro-(\d+)-/.exec(name)?.[1])));
  }
}

/** Processor time of each guest so far, by the name in its command line, `s`. */
export function guestSeconds(home: string): Map<string, number> {
  const found = processesIn(home).filter(({ kind }) => kind === 'qemu');
  return new Map(found.map(({ pid, line }) => [/-name (\S+)/.exec(line)?.[1] ?? '', processorSeconds(pid)]));
}

export async function temporaryIn(folder: string, own: readonly string[]): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !own.includes(name));
}

export function mountsIn(folder: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n');
  return lines.filter((line) => line.includes(folder));
}

function largest(pids: readonly number[]): number {
  return Math.max(0, ...pids.map((pid) => memoryMib(pid, 'VmRSS')));
}

/** All names below a folder, and the room that they take, `MiB`. */
export async function treeOf(folder: string): Promise<{ readonly names: readonly string[]; readonly mib: number }> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  let bytes = 0;
  for (const name of names) bytes += 512 * ((await stat(join(folder, name)).catch(() => undefined))?.blocks ?? 0);
  return { names, mib: bytes / 2 ** 20 };
}
