// A new session with the guest of a workspace that runs already: after another daemon, or after the old one broke.
import type { RunningGuest } from '../../contract/records.ts';
import type { GuestEnd } from '../../machine/guest-end.ts';
import { endLeftGuest } from '../../machine/left-guests.ts';
import type { Guest, Machine } from '../../machine/machine.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isHostFault, messageOf } from '../../shared/errors.ts';
import { isRunning } from '../../system/processes.ts';
import { arrive } from './guest-plan.ts';
import { isTrouble } from './guest-trouble.ts';
import { reconcileLayers } from './snapshots.ts';
import type { Workspace } from './workspace.ts';

/** How a guest was lost; the cause where it is known. */
export type GuestLoss = Pick<GuestEnd, 'text'> & Partial<GuestEnd>;

/**
 * The guest, in whose new session all is followed again, or how it was lost: one that is gone, or that talks nonsense and
 * is ended. One that is paused or silent runs on, and so does each at our own end and with trouble of our own disk.
 */
export async function openSession(
  workspace: Workspace,
  machine: Machine,
  noted: RunningGuest,
  context: CallContext,
): Promise<Guest | GuestLoss> {
  let opened: Guest | undefined;
  try {
    const guest = await machine.takeOver(workspace.record.id, workspace.files.folder, noted, context.signal);
    opened = guest;
    workspace.attach({ guest, record: noted });
    await guest.use(async () => {
      await arrive(workspace, guest, context);
      await workspace.tenants.resume(guest.client);
    });
    await reconcileLayers(workspace, guest);
    return guest;
  } catch (error) {
    if (opened !== undefined) await closeSession(workspace, opened);
    context.signal.throwIfAborted();
    if (isHostFault(error)) throw error;
    if (!isRunning(noted.process)) return { text: goneText };
    if (isTrouble(error)) throw error;
    // One that does not answer must not go on writing to the disk that the next one starts from.
    await endLeftGuest(noted);
    return { text: `given up: ${messageOf(error)}` };
  }
}

export const goneText = 'its QEMU process had ended';

/** Lets go of a guest, which runs on. */
export async function closeSession({ network }: Workspace, guest: Guest): Promise<void> {
  await network.close(guest.client);
  await guest.detach();
}
