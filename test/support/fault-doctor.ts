// What doctor finds in a home over stand-in guests: all but what needs a QEMU, which is looked at without starting one.
import type { DoctorCheck } from '../../src/contract/machine.ts';
import { createControl } from '../../src/daemon/control.ts';
import { examine } from '../../src/engine/host/doctor.ts';
import { realFacts } from '../../src/engine/host/doctor-check.ts';
import { noConfinement } from '../../src/machine/confinement.ts';
import { checkDaemon } from '../../src/operations/doctor-daemon.ts';
import { noProgress } from '../../src/shared/progress.ts';
import type { Paths } from '../../src/system/paths.ts';
import { version } from '../../src/version.ts';

/** Of the machine and not of the home: these tests need none of it */
const ofMachine = /^(qemu|mke2fs|guest-kit|accelerator|confinement|cgroup-limits)$/;
const facts = {
  ...realFacts,
  inspectCpu: async () => ({ model: 'a test', hasVirtualization: false, tscKhz: 2_000_000 }),
  inspectConfinement: async () => noConfinement('a test'),
  limitObstacle: async () => 'a test',
};

/** Why the home is not ready; nothing where doctor says that it is. */
export async function examineHome(paths: Paths): Promise<string[]> {
  const signal = AbortSignal.timeout(60_000);
  const daemon = createControl({ command: ['false'], version, paths });
  const checks: DoctorCheck[] = [
    ...(await examine(paths, 'debian:12', { signal, onProgress: noProgress }, facts)),
    await checkDaemon(daemon, signal),
  ];
  const failed = checks.filter(({ name, status }) => status === 'fail' && !ofMachine.test(name));
  return failed.map(({ name, message }) => `doctor: ${name}: ${message}`);
}
