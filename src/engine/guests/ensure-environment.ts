// An environment by name, pulled first when it is not cached.
import { pullEnvironment } from '../../environment/pull.ts';
import { type Environment, openStore, resolveEnvironment } from '../../environment/store.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { assertRoom } from '../../system/disk-room.ts';
import type { Paths } from '../../system/paths.ts';

/** The cached environment, pulled first when it is not there. */
export async function ensureEnvironment(paths: Paths, name: string, context: CallContext): Promise<Environment> {
  const store = openStore(paths.cache);
  const cached = await resolveEnvironment(store, name);
  if (cached !== undefined) return cached;
  await assertRoom(paths, 'a new environment', context.signal);
  const { environment } = await pullEnvironment({ store, name, source: 'auto', ...context });
  return environment;
}
