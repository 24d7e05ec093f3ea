// The seam between the engine and whatever runs its guests: what a machine can do, and what can be done with a guest of it.

import type { GuestClient } from '../agent/guest-client.ts';
import type { RunningGuest } from '../contract/records.ts';
import type { CallContext } from '../shared/call-context.ts';
import type { KeptContent } from '../system/content-check.ts';
import type { Paths } from '../system/paths.ts';
import type { AcceleratorChoice } from './accelerator.ts';
import type { GuestEnd } from './guest-end.ts';
import type { DiskLayers } from './layers.ts';
import type { Trouble } from './trouble.ts';

export interface GuestSize {
  readonly vcpuCount: number;
  readonly memoryMib: number;
}

/** The environment that a guest starts with. */
export interface GuestEnvironment {
  readonly name: string;
  readonly digest: string;
  /** Squashfs image on the host */
  readonly imagePath: string;
}

/** Files that a guest runs on. */
export interface GuestDisks {
  readonly rootImage: string;
  /** The layer that the guest writes */
  readonly top: string;
  /** Frozen disk that the lowest layer names, in the folder of `top`; absent where the layer may name one in the cache */
  readonly base: string | undefined;
  /** Files that the top stands on, in their order, for a guest that goes on with it */
  readonly below: readonly string[];
  readonly project: { readonly image: string; readonly imageId: string | undefined } | undefined;
  readonly sizeMib: number;
}

export interface GuestPlan {
  readonly id: string;
  readonly environment: Pick<GuestEnvironment, 'name' | 'digest'>;
  readonly size: GuestSize;
  readonly disks: GuestDisks;
  /** Name of its folder of sockets below the runtime folder, of its own while another of the same id still runs */
  readonly socketFolder: string;
  /** File for the machine's messages: the guest then outlives this process. Absent: it ends with it. */
  readonly messageFile?: string | undefined;
  /** Called once its processor runs: from then on there is only to wait for it */
  readonly onRunning?: (() => void) | undefined;
  /** What the guest gets once its files are there and before anybody uses it */
  readonly arrive?: ((guest: Guest) => Promise<void>) | undefined;
}

/** A guest that runs and answers. Disposing it ends it at once, waits for the end, and leaves no socket. */
export interface Guest extends AsyncDisposable {
  readonly client: GuestClient;
  /** Settles when it has ended */
  readonly ended: Promise<GuestEnd>;
  readonly health: { readonly trouble: Trouble | undefined };
  /** Socket of its network port */
  readonly networkSocket: string;
  /**
   * Work with it. Throws `disk_full` or `disk_failed` when it is paused for its disk on the host, `guest_unresponsive` when it
   * could answer and does not; what was begun goes on with it.
   */
  readonly use: <T>(work: () => Promise<T>) => Promise<T>;
  /**
   * From now on the guest writes into a new layer at `path`, on its present one, which is whole: the guest holds its disk
   * still until `note` is done. False when it has not held still so long.
   */
  readonly addLayer: (
    path: string,
    sizeMib: number,
    note: () => Promise<void>,
    signal: AbortSignal,
  ) => Promise<boolean>;
  /** File name of the layer that it writes */
  readonly topLayer: () => Promise<string>;
  /** Lets go of the guest, which runs on */
  readonly detach: () => Promise<void>;
}

export interface KnownGuest {
  readonly guest: Guest;
  readonly record: RunningGuest;
}

/** What a guest was started from, to be looked through once. */
export interface UsedContent extends KeptContent {
  /** Takes it away where it has gone bad, so that the next start makes it anew; absent where nobody can */
  readonly drop?: () => Promise<void>;
}

export interface StartedGuest extends KnownGuest {
  readonly used?: readonly UsedContent[];
  readonly source: 'template' | 'cold';
  /** From the start of its process to a guest that takes commands, `ms` */
  readonly bootMs: number;
}

/**
 * `ready`: everything mounted and warmed, for a guest with a fresh disk. `bare`: booted, nothing mounted, for a guest
 * that goes on with a disk of its own, since a mounted disk cannot be exchanged.
 */
export type TemplateKind = 'ready' | 'bare';

/** A project that guests will be started with. */
export interface ProjectPreparation {
  readonly environment: GuestEnvironment;
  readonly size: GuestSize;
  /** Variables of its commands */
  readonly variables: Readonly<Record<string, string>>;
  readonly image: string;
  readonly imageId: string;
  /** Folder of the project in the guest */
  readonly folder: string;
  /** True when the repository's settings are those that pyro writes; others could start programs */
  readonly hasPlainSettings: boolean;
}

export interface Machine {
  readonly choice: AcceleratorChoice;
  readonly layers: DiskLayers;
  /** Saves a guest of this class for later starts, unless there is one; two processes do it once. */
  readonly ensureTemplate: (
    environment: GuestEnvironment,
    size: GuestSize,
    context: CallContext,
    kind?: TemplateKind,
  ) => Promise<{ readonly buildMs: number }>;
  readonly dropTemplates: (environment: GuestEnvironment, size: GuestSize, context: CallContext) => Promise<void>;
  /** Saves a guest with this project mounted for later starts, unless there is one */
  readonly prepareProject: (project: ProjectPreparation, context: CallContext) => Promise<void>;
  /** Puts what the guest needs of the caches beside its disk, so that nothing can take it away */
  readonly furnish: (plan: GuestPlan, imagePath: string, context: CallContext) => Promise<void>;
  /** A guest with a fresh disk; `isCold` boots it without a template */
  readonly startFresh: (plan: GuestPlan, context: CallContext, isCold?: boolean) => Promise<StartedGuest>;
  /** A guest that goes on with its disk */
  readonly startOnDisk: (plan: GuestPlan, context: CallContext) => Promise<StartedGuest>;
  /** Takes over a guest that runs. Throws `guest_unreachable`, or as {@link Guest.use} does where it runs and does not answer. */
  readonly takeOver: (id: string, diskFolder: string, running: RunningGuest, signal: AbortSignal) => Promise<Guest>;
}

/** Finds the machine, for whoever is the first to need it. */
export type OpenMachine = (paths: Paths, context: CallContext) => Promise<Machine>;
