// What a user has set with `pyro config` for the servers of chat hosts.
import { readSettings } from '../system/settings-file.ts';

/** The environment; sizes are added to each call, and the network is a matter of the server's own options. */
export async function serverDefaults(): Promise<Readonly<Record<string, unknown>>> {
  const { environment } = await readSettings();
  return environment === undefined ? {} : { environment };
}
