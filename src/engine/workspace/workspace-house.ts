// What a workspace asks of the house that it stands in, and what it lends of itself.
import type { Guest } from '../../machine/guest.ts';
import type { SecretStore } from '../../secrets/secret-store.ts';
import type { CallContext } from '../../shared/call-context.ts';
import type { MachineRoom } from '../guests/machine-room.ts';
import type { GuestMemory } from '../guests/memory-limit.ts';
import type { ProjectGuest } from '../guests/project-templates.ts';
import type { GuestRecord, WorkspaceFiles, WorkspaceRecord } from './workspace-record.ts';

/** What a workspace asks of the house it stands in. */
export interface WorkspaceHouse {
  readonly room: (context: CallContext) => Promise<MachineRoom>;
  readonly memory: GuestMemory;
  /** The place of secrets, in memory. Throws `secret_store_missing` */
  readonly secretStore: () => Promise<SecretStore>;
  readonly removeSockets: (guest: GuestRecord) => Promise<void>;
  /** Makes the next guest with this project quick; returns at once */
  readonly expectAnother: (guest: ProjectGuest) => void;
  /** Makes the next start from disk quick; returns at once */
  readonly expectRestart: (workspace: { readonly record: WorkspaceRecord; readonly files: WorkspaceFiles }) => void;
}

export interface HeldGuest {
  readonly guest: Guest;
  /** True when this call started it from its disk */
  readonly restarted: boolean;
}
