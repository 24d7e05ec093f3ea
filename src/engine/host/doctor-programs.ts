// The programs that pyro calls: there, and new enough.

import type { DoctorCheck } from '../../contract/machine.ts';
import { compareVersions, inspectQemu } from '../../machine/host-facts.ts';
import { tryCommand } from '../../system/command.ts';
import { findProgram } from '../../system/find-program.ts';
import type { Paths } from '../../system/paths.ts';
import { check } from './doctor-check.ts';

interface Program {
  readonly name: string;
  readonly package: string;
  readonly why: string;
  readonly versionFlag: string;
  /** Oldest version that works; any when absent */
  readonly oldest?: string;
}

const programs: readonly Program[] = [
  { name: 'qemu-img', package: 'qemu-utils', why: 'creates the disks of guests', versionFlag: '--version' },
  { name: 'mke2fs', package: 'e2fsprogs', why: "formats the guest's disk", versionFlag: '-V' },
  {
    name: 'sqfstar',
    package: 'squashfs-tools',
    why: 'packs environments and projects',
    versionFlag: '-version',
    oldest: '4.5',
  },
  {
    name: 'flock',
    package: 'util-linux',
    why: 'locks what several processes share',
    versionFlag: '--version',
  },
  { name: 'git', package: 'git', why: 'reads the repositories that go into workspaces', versionFlag: '--version' },
];

export async function checkPrograms(paths: Paths): Promise<DoctorCheck[]> {
  const qemu = check('qemu', 'runs the guests', async () => {
    const { version, path } = await inspectQemu(paths.cache);
    return `QEMU ${version} at ${path}`;
  });
  return await Promise.all([qemu, ...programs.map(checkProgram)]);
}

async function checkProgram(program: Program): Promise<DoctorCheck> {
  const { name, why, oldest } = program;
  const install = `sudo apt-get install ${program.package}`;
  const path = findProgram(name);
  if (path === undefined) return { name, status: 'fail', message: 'not installed', why, fix: install };
  const version = await askVersion(path, program.versionFlag);
  if (version === undefined)
    return { name, status: 'fail', message: `${path} does not report its version`, why, fix: install };
  if (oldest === undefined || compareVersions(version, oldest) >= 0)
    return { name, status: 'ok', message: `${version} at ${path}`, why, fix: null };
  const message = `${version} at ${path} is too old; pyro needs ${oldest} or later`;
  return {
    name,
    status: 'fail',
    message,
    why,
    fix: `${install}, on a distribution release that has ${oldest} or later`,
  };
}

async function askVersion(path: string, flag: string): Promise<string | undefined> {
  // Some print their version on standard error, and some then exit with 1.
  const answer = await tryCommand(path, [flag], { timeoutMs: 10_000 }).catch(() => undefined);
  return /\d+\.\d+(?:\.\d+)?/.exec(`${answer?.stdout ?? ''}\n${answer?.stderr ?? ''}`)?.[0];
}
