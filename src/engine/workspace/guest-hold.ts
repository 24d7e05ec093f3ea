// The guest that a workspace has: with a session, or running without one, since it is paused or silent; and what is noted of one that is lost.
import type { RunningGuest } from '../../contract/records.ts';
import { isTrouble, troubleOf } from '../../machine/guest-trouble.ts';
import { endLeftGuest, type GuestLoss } from '../../machine/left-guests.ts';
import type { Guest, Machine } from '../../machine/machine.ts';
import type { Trouble } from '../../machine/trouble.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isHostFault, messageOf, type PyroError } from '../../shared/errors.ts';
import { isRunning } from '../../system/processes.ts';
import { arrive } from './guest-plan.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { reconcileLayers } from './snapshots.ts';
import type { Workspace } from './workspace.ts';
import { noteEvent } from './workspace-secrets.ts';

export class GuestHold {
  #guest: Guest | undefined;
  /** Why no session could be opened with one that runs */
  #deaf: PyroError | undefined;

  get guest(): Guest | undefined {
    return this.#guest;
  }

  /** True while a guest runs and no session with it could be opened. */
  get isDeaf(): boolean {
    return this.#deaf !== undefined;
  }

  /** What keeps it from answering. */
  get trouble(): Trouble | undefined {
    return this.#deaf === undefined ? this.#guest?.health.trouble : troubleOf(this.#deaf);
  }

  take(guest: Guest): void {
    this.#guest = guest;
    this.#deaf = undefined;
  }

  drop(): void {
    this.#guest = undefined;
    this.#deaf = undefined;
  }

  /** A new session with the guest that runs; undefined when it is lost. Throws its trouble, with which it runs on. */
  async reconnect(
    workspace: Workspace,
    keeper: RecordKeeper,
    noted: RunningGuest,
    context: CallContext,
  ): Promise<Guest | undefined> {
    const machine = await workspace.resources.machine(context);
    const before = this.#guest;
    this.#guest = undefined;
    if (before !== undefined) await closeSession(workspace, before);
    try {
      const found = isRunning(noted.process)
        ? await openSession(workspace, machine, noted, context)
        : ((await before?.ended) ?? (await workspace.resources.howItWent(noted)));
      if ('client' in found) return found;
      this.drop();
      workspace.memory.free();
      await noteLoss(workspace, keeper, found);
      return undefined;
    } catch (error) {
      this.drop();
      if (isTrouble(error)) this.#deaf = error;
      throw error;
    }
  }

  /** Ends a guest that runs and that nobody has a session with; false when there is none. */
  async endUnheard(workspace: Workspace): Promise<boolean> {
    const noted = workspace.record.guest;
    if (noted === null) return false;
    await endLeftGuest(noted);
    this.drop();
    workspace.memory.free();
    await workspace.resources.removeSockets(noted);
    await workspace.tenants.markAllLost('workspace_stopped');
    return true;
  }
}

/**
 * The guest, in whose new session all is followed again, or how it was lost: one that is gone, or that talks nonsense and
 * is ended. One that is paused or silent runs on, and so does each at our own end and with trouble of our own disk.
 */
async function openSession(
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
    if (!isRunning(noted.process)) return await workspace.resources.howItWent(noted);
    if (isTrouble(error)) throw error;
    // One that does not answer must not go on writing to the disk that the next one starts from.
    await endLeftGuest(noted);
    return { text: `given up: ${messageOf(error)}` };
  }
}

/** Lets go of a guest, which runs on. */
async function closeSession({ network }: Workspace, guest: Guest): Promise<void> {
  await network.close(guest.client);
  await guest.detach();
}

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
    stop_reason: cause === 'host' ? 'host' : isWanted ? 'guest' : 'crash',
    stop_detail: text,
    guest: null,
  });
  await noteEvent(workspace, 'stopped', text);
}
