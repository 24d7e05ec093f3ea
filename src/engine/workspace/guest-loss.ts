// What is noted when the guest of a workspace is gone without having been told to go.
import type { GuestLoss } from './guest-session.ts';
import type { RecordKeeper } from './record-keeper.ts';
import type { Workspace } from './workspace.ts';
import { noteEvent } from './workspace-secrets.ts';

/** Ends what lived in the guest, and writes the workspace down as crashed, unless it is deleted. */
export async function noteLoss(workspace: Workspace, keeper: RecordKeeper, { cause, text }: GuestLoss): Promise<void> {
  const noted = workspace.record.guest;
  await workspace.network.closeAll();
  if (noted !== null) await workspace.resources.removeSockets(noted);
  await workspace.tenants.markAllLost('guest_ended');
  if (keeper.isClosed) return;
  const isWanted = cause === 'power_off' || cause === 'reboot';
  await workspace.update({
    state: 'stopped',
    stop_reason: isWanted ? 'guest' : 'crash',
    stop_detail: text,
    guest: null,
  });
  await noteEvent(workspace, 'stopped', text);
}
