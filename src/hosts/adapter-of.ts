// The hosts that pyro knows: each is a name of the list and a file of that name.
import type { HostName } from '../shared/host-types.ts';
import type { HostAdapter } from './adapter.ts';

/** Loaded when it is asked for; the bundle holds all files of the folder. */
export async function adapterOf(name: HostName): Promise<HostAdapter> {
  const { adapter }: { readonly adapter: HostAdapter } = await import(`./adapters/${name}.ts`);
  return adapter;
}
