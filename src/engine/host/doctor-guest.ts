// What guests are made of: the kit, the accelerator, an environment and its template.

import type { DoctorCheck } from '../../contract/machine.ts';
import { type Environment, openStore, resolveEnvironment, verifyEnvironment } from '../../environment/store.ts';
import type { AcceleratorChoice } from '../../machine/accelerator.ts';
import { inspectConfinement } from '../../machine/confinement.ts';
import { type CpuFacts, inspectQemu } from '../../machine/host-facts.ts';
import { loadKit } from '../../machine/kit.ts';
import { chooseAccelerator, kvmDevice, kvmObstacle } from '../../machine/probe.ts';
import type { QemuHost } from '../../machine/qemu-guest.ts';
import { findTemplate, findTemplatesOf, templateKey } from '../../machine/template.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError, messageOf } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/units.ts';
import type { Paths } from '../../system/paths.ts';
import { check, type DoctorFacts } from './doctor-check.ts';

export interface Examination {
  readonly paths: Paths;
  readonly facts: DoctorFacts;
  readonly context: CallContext;
}

const mendFirst = 'mend the failures above first';
const nested = 'on a virtual machine, switch nested virtualisation on for it';

export async function checkKit(): Promise<DoctorCheck> {
  return await check('guest-kit', 'kernel and agent of every guest', async () => {
    const kit = await loadKit();
    return `kernel ${kit.kernelRelease}, ${formatBytes(kit.bytes)}`;
  });
}

/** No KVM is a warning: guests run by software emulation, only slower. */
export async function checkAccelerator(examination: Examination): Promise<DoctorCheck> {
  const name = 'accelerator';
  const why = 'with KVM guests run at full speed; without it QEMU emulates, some ten times slower';
  const { facts, context } = examination;
  try {
    const cpu = await facts.inspectCpu();
    const obstacle = await kvmObstacle(cpu, facts.openDevice);
    if (obstacle !== undefined)
      return { name, status: 'warn', message: `tcg: ${obstacle}`, why, fix: fixFor(obstacle, kvmDevice()) };
    const { choice } = await describeHost(examination, cpu);
    const isKvm = choice.accelerator === 'kvm';
    const message = `${choice.accelerator}: ${choice.reason}`;
    return { name, status: isKvm ? 'ok' : 'warn', message, why, fix: isKvm ? null : nested };
  } catch (error) {
    context.signal.throwIfAborted();
    return { name, status: 'warn', message: `could not be probed: ${messageOf(error)}`, why, fix: mendFirst };
  }
}

function fixFor(obstacle: string, device: string): string {
  if (obstacle.startsWith('there is no'))
    return 'load the module (sudo modprobe kvm_intel, or kvm_amd), or switch virtualisation on in the firmware';
  if (obstacle.includes('may not be opened'))
    return `sudo usermod -aG $(stat -c %G ${device}) "$USER", then log in again`;
  return nested;
}

async function describeHost(
  { paths, facts, context }: Examination,
  cpu: CpuFacts,
): Promise<QemuHost & { readonly choice: AcceleratorChoice }> {
  const [qemu, kit] = await Promise.all([inspectQemu(paths.cache), loadKit()]);
  const confinement = await inspectConfinement(qemu, paths.cache);
  const base = { qemu, kit, tscKhz: cpu.tscKhz, confinement, runtime: paths.runtime };
  return { ...base, choice: await chooseAccelerator(base, cpu, paths.cache, context.signal, facts.openDevice) };
}

/** Warm: a template fits this machine. Stale: there are templates, but of another kit, QEMU or processor. Cold: none. */
export async function checkEnvironment(name: string, examination: Examination): Promise<DoctorCheck> {
  const { paths, context } = examination;
  const base = { name: `environment ${name}`, why: 'a warm environment starts a guest without booting it' };
  try {
    const store = openStore(paths.cache);
    if ((await resolveEnvironment(store, name)) === undefined)
      return { ...base, status: 'warn', message: 'cold: not pulled yet', fix: `pyro prepare ${name}` };
    // Its bytes are read as a whole: a disk that changed one is found here, not by a guest.
    const environment = await verifyEnvironment(store, name);
    const warmth = await findWarmth(environment, examination);
    if (warmth !== 'warm') {
      const message =
        warmth === 'cold'
          ? 'cold: pulled, but no template yet'
          : 'stale: its template is of another guest kit, QEMU or processor';
      return { ...base, status: 'warn', message, fix: `pyro prepare ${name}` };
    }
    const message = `warm, from ${environment.record.source}, ${environment.digest.slice(0, 19)}`;
    return { ...base, status: 'ok', message, fix: null };
  } catch (error) {
    context.signal.throwIfAborted();
    const isDamaged = isPyroError(error, 'environment_damaged');
    const fix = isDamaged ? `pyro env pull ${name}` : mendFirst;
    return { ...base, status: isDamaged ? 'fail' : 'warn', message: messageOf(error), fix };
  }
}

async function findWarmth(environment: Environment, examination: Examination): Promise<'warm' | 'stale' | 'cold'> {
  const { paths, facts } = examination;
  const cpu = await facts.inspectCpu();
  const wanted = {
    kind: 'ready' as const,
    size: { vcpuCount: 1, memoryMib: 1024 },
    environmentDigest: environment.digest,
    rootImage: environment.imagePath,
  };
  const key = templateKey(await describeHost(examination, cpu), wanted, cpu.model);
  if ((await findTemplate(paths.cache, key)) !== undefined) return 'warm';
  return (await findTemplatesOf(paths.cache, environment.digest)).length === 0 ? 'cold' : 'stale';
}
