// What lives in a workspace's guest and is looked after from outside: commands, shells, services.
import type { GuestClient } from '../agent/guest-client.ts';

export type LossReason = 'workspace_stopped' | 'workspace_reset' | 'guest_ended';

export interface GuestTenants {
  /** The session is another one, the guest the same: what ran is followed again */
  resume(client: GuestClient): Promise<void>;
  /** The guest was started again from its disk: what should run in it is started */
  restart?(client: GuestClient): Promise<void>;
  /** The guest will be stopped: what runs is asked to end */
  quiesce?(signal: AbortSignal): Promise<void>;
  /** Waits until all have noticed that their session has ended */
  settle(): Promise<void>;
  /** The guest is gone */
  loseAll(reason: LossReason): Promise<void>;
}
