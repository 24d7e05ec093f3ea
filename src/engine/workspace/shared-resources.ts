// What all workspaces of a daemon share: the machine, its memory, the store of secrets, and work done ahead for later calls.

import type { RunningGuest, WorkspaceRecord } from '../../contract/records.ts';
import type { GuestLoss } from '../../machine/left-guests.ts';
import type { Guest, Machine, ProjectPreparation, StartedGuest } from '../../machine/machine.ts';
import type { SecretStore } from '../../secrets/secret-store.ts';
import type { CallContext } from '../../shared/call-context.ts';
import type { Reserve } from '../../system/reserve.ts';
import type { GuestMemory } from '../guests/memory-limit.ts';
import type { JobRunner } from '../jobs/job.ts';
import type { WorkspaceFiles } from './workspace-record.ts';

export interface UsedThings {
  readonly started: StartedGuest;
  /** Image of the project in the cache */
  readonly projectImage?: string | undefined;
}

export interface SharedResources {
  /** Throws `tool_missing`, `host_unsupported` or `guest_kit_missing` where this host cannot run guests */
  readonly machine: (context: CallContext) => Promise<Machine>;
  readonly memory: GuestMemory;
  /** Where the data of guests is worked on */
  readonly jobs: JobRunner;
  /** Secrets, in memory. Throws `secret_store_missing` */
  readonly secretStore: () => Promise<SecretStore>;
  /** Room for records on a full disk */
  readonly reserve: Reserve;
  readonly removeSockets: (guest: RunningGuest) => Promise<void>;
  /** Of a guest that is gone, and that nobody has heard end */
  readonly howItWent: (guest: RunningGuest) => Promise<GuestLoss>;
  /** Looks later whether what the guest was started from is still as it was made; returns at once */
  readonly checkLater: (workspace: { readonly record: WorkspaceRecord }, used: UsedThings) => void;
  /** Makes the next guest with this project quick; returns at once */
  readonly prepareNextCreate: (project: ProjectPreparation) => void;
  /** Makes the next start from disk quick; returns at once */
  readonly prepareNextStart: (workspace: { readonly record: WorkspaceRecord; readonly files: WorkspaceFiles }) => void;
}

export interface HeldGuest {
  readonly guest: Guest;
  /** True when this call started it from its disk */
  readonly restarted: boolean;
}
