// The checks of the machine: each prerequisite on its own, so that everything may be broken at once.

import type { DoctorCheck } from '../../contract/machine.ts';
import type { CallContext } from '../../shared/call-context.ts';
import type { Paths } from '../../system/paths.ts';
import { type DoctorFacts, realFacts } from './doctor-check.ts';
import { checkConfinement } from './doctor-confinement.ts';
import { checkAccelerator, checkEnvironment, checkKit } from './doctor-guest.ts';
import { checkContents, checkFolders, checkLimits, checkPlatform, checkSpace } from './doctor-host.ts';
import { checkPrograms } from './doctor-programs.ts';

export async function examine(
  paths: Paths,
  environment: string,
  context: CallContext,
  facts: DoctorFacts = realFacts,
): Promise<DoctorCheck[]> {
  const examination = { paths, facts, context };
  // In the order in which a person would fix them: later ones depend on earlier ones.
  return [
    checkPlatform(facts),
    ...(await checkPrograms(paths)),
    await checkKit(),
    ...(await checkFolders(paths)),
    await checkSpace([paths.cache, paths.state], facts),
    ...(await checkContents(paths)),
    await checkLimits(facts),
    await checkConfinement(paths.cache, facts),
    await checkAccelerator(examination),
    await checkEnvironment(environment, examination),
  ];
}
