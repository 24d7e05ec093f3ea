// Limits of the host's kernel for one process and its children: memory and number of processes, in a cgroup of its own.
import { writeFileSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, systemCodeOf } from '../shared/errors.ts';
import { type CgroupHome, locateHome } from './cgroup-home.ts';
import { identifySelf, isRunning } from './processes.ts';

export interface CgroupLimits {
  /** Memory of all its processes together, `bytes` */
  readonly memoryBytes: number;
  /** Processes and threads together */
  readonly processCount: number;
}

/** Names say who made them: an empty one whose maker lives may be about to get its first process. */
const prefix = 'pyro-';
const pattern = /^pyro-(\d+)-(\d+)-/;

/** A cgroup per hierarchy that carries the limits; one with version 2, two with version 1. */
export class Cgroup {
  readonly #folders: readonly string[];

  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** Moves a process in, at once: what it has used before does not count. */
  enter(pid: number): void {
    for (const folder of this.#folders) writeFileSync(join(folder, 'cgroup.procs'), `${pid}`);
  }

  /**
   * Removes it; false when it still holds processes, such as one that was killed just now. It is then removed by a later
   * {@link createCgroup} of another maker.
   */
  async remove(): Promise<boolean> {
    let isGone = true;
    for (const folder of this.#folders) isGone = (await removeFolder(folder)) && isGone;
    return isGone;
  }
}

/** Folder below which this user may make cgroups that limit, or why there is none. */
export async function findCgroupHome(): Promise<CgroupHome | { readonly reason: string }> {
  let home: CgroupHome | undefined;
  try {
    home = locateHome(await readFile('/proc/self/cgroup', 'utf8'), await readFile('/proc/self/mountinfo', 'utf8'));
  } catch (error) {
    return { reason: `the kernel does not report cgroups: ${messageOf(error)}` };
  }
  if (home === undefined) return { reason: 'no cgroup hierarchy for memory and processes is mounted' };
  if (home.version === 1) {
    for (const folder of home.folders) {
      if (!(await isWritable(folder))) return { reason: `this user may not write to ${folder}` };
    }
    return home;
  }
  return await findDelegated(home);
}

/** The nearest folder upwards that hands the controllers on and lets this user move its processes. */
async function findDelegated({ version, folders, mount }: CgroupHome): Promise<CgroupHome | { reason: string }> {
  let hasControllers = false;
  for (let folder = folders[0] ?? mount; folder.startsWith(mount); folder = dirname(folder)) {
    const handedOn = (await readText(join(folder, 'cgroup.subtree_control'))).split(/\s+/);
    if (!handedOn.includes('memory') || !handedOn.includes('pids')) continue;
    hasControllers = true;
    if (!(await isWritable(folder)) || !(await isWritable(join(folder, 'cgroup.procs')))) continue;
    return { version, mount, folders: [folder] };
  }
  const why = hasControllers ? 'belongs to this user' : 'delegates the memory and pids controllers';
  return { reason: `no cgroup above this process ${why}` };
}

/** A new cgroup with these limits; undefined where the machine does not allow one. */
export async function createCgroup(name: string, limits: CgroupLimits): Promise<Cgroup | undefined> {
  const home = await findCgroupHome();
  if ('reason' in home) return undefined;
  const { pid, start_ticks: ticks } = identifySelf();
  const folders = home.folders.map((folder) => join(folder, `${prefix}${pid}-${ticks}-${name}`));
  const cgroup = new Cgroup(folders);
  try {
    await sweep(home.folders);
    for (const folder of folders) await mkdir(folder);
    const [memoryFolder = '', pidsFolder = memoryFolder] = folders;
    const memoryFile = home.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
    await writeFile(join(memoryFolder, memoryFile), `${limits.memoryBytes}`);
    await writeFile(join(pidsFolder, 'pids.max'), `${limits.processCount}`);
    return cgroup;
  } catch {
    // A guest without limits is better than none; pyro doctor tries the same and says what is wrong.
    await cgroup.remove();
    return undefined;
  }
}

/** The cgroup of ours that a process is in, whoever made it. */
export async function findCgroupOf(pid: number): Promise<Cgroup | undefined> {
  const text = await readText(`/proc/${pid}/cgroup`);
  const home = locateHome(text, await readText('/proc/self/mountinfo'));
  const folders = home?.folders.filter((folder) => basename(folder).startsWith(prefix)) ?? [];
  return folders.length === 0 ? undefined : new Cgroup(folders);
}

/** Removes what makers that are dead have left. The kernel keeps those that hold processes. */
async function sweep(parents: readonly string[]): Promise<void> {
  for (const parent of parents) {
    for (const name of await readdir(parent)) {
      const [, pid, ticks] = pattern.exec(name) ?? [];
      if (pid === undefined || isRunning({ pid: Number(pid), start_ticks: Number(ticks) })) continue;
      await removeFolder(join(parent, name));
    }
  }
}

async function removeFolder(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT') return true;
    if (!['EBUSY', 'EACCES', 'EPERM'].includes(code ?? '')) throw error;
    return false;
  }
}

async function isWritable(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}
