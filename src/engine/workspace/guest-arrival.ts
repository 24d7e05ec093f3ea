// What a workspace gives each of its guests: where it is to start, and what it gets before anybody uses it.
import { join } from 'node:path';
import { type Guest, guestFolder } from '../../machine/guest.ts';
import type { CallContext } from '../../shared/call-context.ts';
import type { Workspace } from './workspace.ts';
import type { GuestPlace } from './workspace-guest.ts';
import type { WorkspaceRecord } from './workspace-record.ts';
import { bringSecrets } from './workspace-secrets.ts';

/** What a start of its guest needs to know. */
export async function placeOf(workspace: Workspace, plan: WorkspaceRecord, context: CallContext): Promise<GuestPlace> {
  const { environment: name, environment_digest: digest } = workspace.record;
  return {
    room: await workspace.house.room(context),
    files: workspace.files,
    plan,
    environment: { digest, name },
    context,
    arrive: (guest, folder) => arrive(workspace, guest, folder, context),
  };
}

/** Secrets and the network, as far as it is granted. */
export async function arrive(workspace: Workspace, guest: Guest, folder: string, context: CallContext): Promise<void> {
  const { secrets, network } = workspace;
  await bringSecrets(guest, secrets, context);
  const room = await workspace.house.room(context);
  await network.open(guest.client, join(guestFolder(room.host, folder), 'n'), context.signal);
  secrets.hide(network.secretValues);
  watchOutput(workspace, guest);
}

/** Secrets in what the guest puts out are masked from now on. */
export function watchOutput({ secrets }: Workspace, guest: Guest): void {
  if (!secrets.isEmpty) guest.client.newOutputFilter = () => secrets.redactor();
}
