// The checks of the machine: each prerequisite by itself, so that everything may be broken at once.
import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { dirname } from 'node:path';
import { openStore, resolveEnvironment } from '../environment/store.ts';
import { inspectCpu, inspectQemu } from '../machine/host-facts.ts';
import { loadKit } from '../machine/kit.ts';
import { chooseAccelerator, kvmDevice, kvmObstacle } from '../machine/probe.ts';
import { findTemplate, templateKey } from '../machine/template.ts';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError, messageOf } from '../shared/errors.ts';
import { formatBytes, gibibyte } from '../shared/units.ts';
import { findProgram } from '../system/command.ts';
import { makeFolder } from '../system/folders.ts';
import { ensurePrivateFolder, type Paths } from '../system/paths.ts';
import type { DoctorCheck } from './engine-types.ts';

/** Machine facts that tests replace, since a test cannot change the machine's architecture or fill its disk. */
export interface DoctorFacts {
  readonly platform: string;
  readonly architecture: string;
  readonly freeBytes: (folder: string) => Promise<number>;
}

const realFacts: DoctorFacts = {
  platform: platform(),
  architecture: arch(),
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

const leastFree = 2 * gibibyte;
const programs = [
  { name: 'qemu-img', package: 'qemu-utils', why: 'makes the disks of guests' },
  { name: 'mke2fs', package: 'e2fsprogs', why: "formats the guest's disk" },
  { name: 'sqfstar', package: 'squashfs-tools', why: 'packs environments; version 4.5 or later has it' },
  { name: 'git', package: 'git', why: 'reads the repositories that go into workspaces' },
] as const;

export async function examine(
  paths: Paths,
  environment: string,
  context: CallContext,
  facts: DoctorFacts = realFacts,
): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [checkPlatform(facts)];
  checks.push(
    await check('qemu', 'runs the guests', async () => {
      const { version, path } = await inspectQemu(paths.cache);
      return `QEMU ${version} at ${path}`;
    }),
  );
  for (const program of programs) checks.push(await checkProgram(program));
  checks.push(
    await check('guest-kit', 'kernel and agent of every guest', async () => {
      const kit = await loadKit();
      return `kernel ${kit.kernelRelease}, ${formatBytes(kit.bytes)}`;
    }),
  );
  for (const [name, folder] of [
    ['cache-folder', paths.cache],
    ['state-folder', paths.state],
    ['runtime-folder', paths.runtime],
  ] as const) {
    checks.push(await checkFolder(name, folder));
  }
  checks.push(await checkSpace(paths.cache, facts));
  checks.push(await checkAccelerator(paths, context));
  checks.push(await checkEnvironment(paths, environment, context));
  return checks;
}

function checkPlatform({ platform: system, architecture }: DoctorFacts): DoctorCheck {
  const fits = system === 'linux' && architecture === 'x64';
  return {
    name: 'platform',
    status: fits ? 'ok' : 'fail',
    message: `${system} ${architecture}`,
    why: 'the guest kit is for Linux on x86_64',
    fix: fits ? null : 'run pyro on a Linux machine with an x86_64 processor',
  };
}

async function check(name: string, why: string, look: () => Promise<string>): Promise<DoctorCheck> {
  try {
    return { name, status: 'ok', message: await look(), why, fix: null };
  } catch (error) {
    return {
      name,
      status: 'fail',
      message: messageOf(error),
      why,
      fix: isPyroError(error) ? (error.hint ?? null) : null,
    };
  }
}

async function checkProgram(program: (typeof programs)[number]): Promise<DoctorCheck> {
  const found = await findProgram(program.name);
  return {
    name: program.name,
    status: found === undefined ? 'fail' : 'ok',
    message: found ?? 'not installed',
    why: program.why,
    fix: found === undefined ? `sudo apt-get install ${program.package}` : null,
  };
}

async function checkFolder(name: string, folder: string): Promise<DoctorCheck> {
  const why = 'pyro keeps its files there';
  try {
    await ensurePrivateFolder(folder);
    await access(folder, constants.W_OK);
    return { name, status: 'ok', message: folder, why, fix: null };
  } catch (error) {
    return {
      name,
      status: 'fail',
      message: `${folder} cannot be written: ${messageOf(error)}`,
      why,
      fix: 'export PYRO_HOME=/a/folder/that/you/may/write',
    };
  }
}

async function checkSpace(folder: string, facts: DoctorFacts): Promise<DoctorCheck> {
  const why = `environments and templates need about ${formatBytes(leastFree)}`;
  try {
    await makeFolder(folder);
    const free = await facts.freeBytes(folder);
    const isEnough = free >= leastFree;
    return {
      name: 'disk-space',
      status: isEnough ? 'ok' : 'fail',
      message: `${formatBytes(free)} free in ${folder}`,
      why,
      fix: isEnough ? null : 'pyro env prune',
    };
  } catch (error) {
    return {
      name: 'disk-space',
      status: 'fail',
      message: `${dirname(folder)}: ${messageOf(error)}`,
      why,
      fix: 'export PYRO_HOME=/a/folder/that/you/may/write',
    };
  }
}

/** No KVM is a warning: guests run by software emulation, only slower. */
async function checkAccelerator(paths: Paths, context: CallContext): Promise<DoctorCheck> {
  const why = 'with KVM guests run at full speed; without it QEMU emulates, some ten times slower';
  const device = kvmDevice();
  try {
    const cpu = await inspectCpu();
    const obstacle = await kvmObstacle(cpu);
    if (obstacle !== undefined)
      return { name: 'accelerator', status: 'warn', message: `tcg: ${obstacle}`, why, fix: fixFor(obstacle, device) };
    const [qemu, kit] = await Promise.all([inspectQemu(paths.cache), loadKit()]);
    const choice = await chooseAccelerator(
      { qemu, kit, tscKhz: cpu.tscKhz, runtime: paths.runtime },
      cpu,
      paths.cache,
      context.signal,
    );
    const isKvm = choice.accelerator === 'kvm';
    return {
      name: 'accelerator',
      status: isKvm ? 'ok' : 'warn',
      message: `${choice.accelerator}: ${choice.reason}`,
      why,
      fix: isKvm ? null : 'on a virtual machine, switch nested virtualisation on for it',
    };
  } catch (error) {
    context.signal.throwIfAborted();
    return {
      name: 'accelerator',
      status: 'warn',
      message: `could not be probed: ${messageOf(error)}`,
      why,
      fix: 'mend the failures above first',
    };
  }
}

function fixFor(obstacle: string, device: string): string {
  if (obstacle.startsWith('there is no'))
    return 'load the module (sudo modprobe kvm_intel, or kvm_amd), or switch virtualisation on in the firmware';
  if (obstacle.includes('may not be opened'))
    return `sudo usermod -aG $(stat -c %G ${device}) "$USER", then log in again`;
  return 'on a virtual machine, switch nested virtualisation on for it';
}

async function checkEnvironment(paths: Paths, name: string, context: CallContext): Promise<DoctorCheck> {
  const why = 'a warm environment starts a guest without booting it';
  const part = `environment ${name}`;
  try {
    const environment = await resolveEnvironment(openStore(paths.cache), name);
    if (environment === undefined)
      return { name: part, status: 'warn', message: 'cold: not pulled yet', why, fix: `pyro env pull ${name}` };
    const [qemu, kit, cpu] = await Promise.all([inspectQemu(paths.cache), loadKit(), inspectCpu()]);
    const base = { qemu, kit, tscKhz: cpu.tscKhz, runtime: paths.runtime };
    const choice = await chooseAccelerator(base, cpu, paths.cache, context.signal);
    const wanted = {
      kind: 'ready' as const,
      size: { vcpuCount: 1, memoryMib: 1024 },
      environmentDigest: environment.digest,
      rootImage: environment.imagePath,
    };
    const template = await findTemplate(paths.cache, templateKey({ ...base, choice }, wanted, cpu.model));
    if (template === undefined)
      return {
        name: part,
        status: 'warn',
        message: 'cold: pulled, but no template for this machine yet',
        why,
        fix: `pyro run ${name} -- true`,
      };
    return {
      name: part,
      status: 'ok',
      message: `warm, ${environment.record.source}, ${environment.digest.slice(0, 19)}`,
      why,
      fix: null,
    };
  } catch (error) {
    context.signal.throwIfAborted();
    const isDamaged = isPyroError(error, 'environment_damaged');
    return {
      name: part,
      status: isDamaged ? 'fail' : 'warn',
      message: messageOf(error),
      why,
      fix: isDamaged ? `pyro env pull ${name}` : 'mend the failures above first',
    };
  }
}
