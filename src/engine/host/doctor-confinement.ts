// What keeps a QEMU that its guest has taken over from the rest of this machine, and what to do where that is little.
import type { DoctorCheck } from '../../contract/machine.ts';
import type { Confinement } from '../../machine/confinement.ts';
import { messageOf } from '../../shared/errors.ts';
import type { DoctorFacts } from './doctor-check.ts';

const page = 'docs/design/confinement.md';

/** Little is only a warning: QEMU's own filter of system calls holds everywhere. */
export async function checkConfinement(cacheFolder: string, facts: DoctorFacts): Promise<DoctorCheck> {
  const name = 'confinement';
  const why = 'a guest that breaks out of QEMU then finds no file, no network and no process of this machine';
  try {
    const confinement = await facts.inspectConfinement(cacheFolder);
    const { weakness } = confinement;
    const held = whatHolds(confinement);
    if (weakness === undefined) return { name, status: 'ok', message: held, why, fix: null };
    return { name, status: 'warn', message: `${held}; missing: ${weakness}`, why, fix: fixFor(weakness) };
  } catch (error) {
    const message = `could not be tried: ${messageOf(error)}`;
    return { name, status: 'warn', message, why, fix: 'mend the failures above first' };
  }
}

function whatHolds({ form, landlock }: Confinement): string {
  if (form === undefined) return 'QEMU has only its own filter of system calls';
  const parts = [
    ...(form.ownUser ? ['a user of its own'] : []),
    ...(form.namespaces ? ['its own files, network and processes'] : []),
    ...(form.landlock ? [`Landlock ${landlock}`] : []),
    'no capabilities',
    'a filter of system calls',
  ];
  return `QEMU has ${parts.join(', ')}`;
}

function fixFor(weakness: string): string {
  if (weakness === 'PYRO_CONFINEMENT=off') return 'unset PYRO_CONFINEMENT, then: pyro daemon stop';
  if (weakness.includes('guest kit')) return 'in a checkout, run: make guest; otherwise: npm install -g pyro-mcp';
  if (weakness.includes('namespaces'))
    return `allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1; on Ubuntu and in containers see ${page}`;
  return `see ${page}`;
}
