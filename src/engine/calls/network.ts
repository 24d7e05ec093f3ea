// What a workspace tried to reach, according to its connection log.
import type { NetworkInput, NetworkOutput } from '../../contract/workspaces.ts';
import { readConnectionLog } from '../../network/connection-log.ts';
import type { Workspace } from '../workspace/workspace.ts';

/** Newest last. */
export async function readAttempts(
  { network, record }: Workspace,
  { workspace_id, denied, limit, cursor }: NetworkInput,
): Promise<NetworkOutput> {
  const after = cursor === undefined ? {} : { after: cursor };
  const page = await readConnectionLog(network.logPath, { isRefusedOnly: denied, limit, ...after });
  return {
    workspace_id,
    network_policy: record.network_policy,
    attempts: [...page.attempts],
    next_cursor: page.nextCursor,
  };
}
