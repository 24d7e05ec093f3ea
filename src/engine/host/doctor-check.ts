// What the checks of doctor share: the shape of a finding, and the machine facts that tests replace.
import { statfs } from 'node:fs/promises';
import { arch, platform, release } from 'node:os';
import type { DoctorCheck } from '../../contract/machine.ts';
import { type Confinement, inspectConfinement } from '../../machine/confinement.ts';
import { type CpuFacts, inspectCpu, inspectQemu } from '../../machine/host-facts.ts';
import { type OpenDevice, openReadWrite } from '../../machine/probe.ts';
import { isPyroError, messageOf, reportError } from '../../shared/errors.ts';
import { commandCall } from '../../shared/hint-words.ts';
import { createCgroup, findCgroupHome } from '../../system/cgroup.ts';

/** Tests replace these: they cannot change the architecture, fill the disk or take away root's rights. */
export interface DoctorFacts {
  readonly platform: string;
  readonly architecture: string;
  readonly kernel: string;
  readonly freeBytes: (folder: string) => Promise<number>;
  readonly inspectCpu: () => Promise<CpuFacts>;
  readonly openDevice: OpenDevice;
  /** Why guests get no limits on this host, or undefined */
  readonly limitObstacle: () => Promise<string | undefined>;
  /** How far QEMU can be shut in, tried anew. Throws where there is none */
  readonly inspectConfinement: (cacheFolder: string) => Promise<Confinement>;
}

export const realFacts: DoctorFacts = {
  platform: platform(),
  architecture: arch(),
  kernel: release(),
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
  inspectCpu,
  openDevice: openReadWrite,
  limitObstacle: async () => {
    const home = await findCgroupHome();
    if ('reason' in home) return home.reason;
    const cgroup = await createCgroup('doctor', { memoryBytes: 2 ** 30, processCount: 64 });
    await cgroup?.remove();
    return cgroup === undefined ? `a cgroup below ${home.folders[0]} accepts no limits` : undefined;
  },
  inspectConfinement: async (cacheFolder) =>
    await inspectConfinement(await inspectQemu(cacheFolder), cacheFolder, true),
};

/** A check that is fine when `look` gives its message, and a failure with the error's own hint when it throws. */
export async function check(name: string, why: string, look: () => Promise<string>): Promise<DoctorCheck> {
  try {
    return { name, status: 'ok', message: await look(), why, fix: null };
  } catch (error) {
    const fix = isPyroError(error) ? reportError(error, commandCall).hint : null;
    return { name, status: 'fail', message: messageOf(error), why, fix };
  }
}
