// The guest that a workspace has: with a session, or running without one, since it is paused or silent.
import type { RunningGuest } from '../../contract/records.ts';
import { endLeftGuest } from '../../machine/left-guests.ts';
import type { Guest } from '../../machine/machine.ts';
import type { Trouble } from '../../machine/trouble.ts';
import type { CallContext } from '../../shared/call-context.ts';
import type { PyroError } from '../../shared/errors.ts';
import { isRunning } from '../../system/processes.ts';
import { noteLoss } from './guest-loss.ts';
import { closeSession, goneText, openSession } from './guest-session.ts';
import { isTrouble, troubleOf } from './guest-trouble.ts';
import type { RecordKeeper } from './record-keeper.ts';
import type { Workspace } from './workspace.ts';

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
        : ((await before?.ended) ?? { text: goneText });
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
