// The guest of a workspace: restored from a template with a fresh disk, or started on the disk that it has.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AdoptedProcess } from '../../machine/adopted-process.ts';
import { copyDisk, ensureRelativeOverlay, linkOrCopy, makeSparse, templateDiskMib } from '../../machine/disks.ts';
import { Guest, type GuestStart, guestFolder, newMagic } from '../../machine/guest.ts';
import { createLayer } from '../../machine/layers.ts';
import { findTemplate, type SavedGuest, templateKey, touchTemplate } from '../../machine/template.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';
import { haveSameContent } from '../../system/files.ts';
import { dropTemplate, ensureTemplate, type MachineRoom, type TemplateSource } from '../guests/machine-room.ts';
import { takePrepared } from '../guests/project-templates.ts';
import { type GuestRecord, ramFile, type WorkspaceFiles, type WorkspaceRecord } from './workspace-record.ts';

export interface StartedGuest {
  readonly guest: Guest;
  readonly record: GuestRecord;
}

/** What a start needs to know of the workspace. */
export interface GuestPlace {
  readonly room: MachineRoom;
  readonly files: WorkspaceFiles;
  readonly plan: Pick<WorkspaceRecord, 'id' | 'vcpu_count' | 'mem_mib' | 'disk_mib' | 'has_project' | 'disk'>;
  readonly environment: Omit<TemplateSource, 'imagePath'>;
  readonly context: CallContext;
  /** True for a guest that must not outlive this process */
  readonly isAttached?: boolean;
  readonly onRunning?: GuestStart['onRunning'];
  /** What the guest gets once its files are there and before anybody uses it */
  readonly arrive?: ((guest: Guest, folderName: string) => Promise<void>) | undefined;
}

type Source = Pick<GuestStart, 'memory' | 'magic' | 'stateFile'>;
type Mount = (guest: Guest) => Promise<void>;

const bootTries = 3;
const startFailures = ['guest_boot_failed', 'guest_unreachable', 'template_invalid', 'qemu_failed'] as const;

/** Puts what the workspace needs of the caches into its own folder, so that nothing can take it away. */
export async function furnish(place: GuestPlace, imagePath: string, projectImage: string | undefined): Promise<void> {
  const { files, room, plan, environment, context } = place;
  const { template } = await ensureTemplate(room, { ...environment, imagePath }, sizeOf(plan), context);
  await linkOrCopy(imagePath, files.rootImage);
  await linkOrCopy(template.disk, files.baseDisk);
  if (projectImage !== undefined) await furnishProject(place, projectImage);
}

/** Puts a project in the place of the one that may be there. */
export async function furnishProject({ files }: GuestPlace, projectImage: string): Promise<void> {
  await rm(files.projectImage, { force: true });
  await linkOrCopy(projectImage, files.projectImage);
}

/** A guest with a fresh disk, restored from the template of its project, else from the `ready` one. */
export async function startFresh(place: GuestPlace): Promise<StartedGuest> {
  const { room, files, plan, environment, context } = place;
  const source = { ...environment, imagePath: files.rootImage };
  const { template: ready } = await ensureTemplate(room, source, sizeOf(plan), context);
  const disk = join(files.folder, plan.disk);
  const makeDisk = async (): Promise<void> => {
    await rm(disk, { force: true });
    await copyDisk(await ensureRelativeOverlay(room.cacheFolder, context.signal), disk);
  };
  // A saved guest has its disk's blocks in memory: one that was made anew since does not fit the disk of this workspace.
  if (!(await haveSameContent(ready.disk, files.baseDisk))) {
    await makeDisk();
    return await boot(place);
  }
  await rm(disk, { force: true });
  const prepared = plan.has_project ? await takePrepared(room, ready, files.projectImage, disk) : undefined;
  if (prepared === undefined) await makeDisk();
  const mount: Mount = async (guest) => {
    if (plan.has_project && prepared === undefined) await guest.client.mountProject({ signal: context.signal });
    await grow(guest, place);
  };
  return await restoreOrBoot(place, prepared ?? ready, mount, makeDisk);
}

/** A guest whose disk is a new layer, `plan.disk`, on the seed's (null) or on another one. */
export async function startAbove(place: GuestPlace, below: string | null): Promise<StartedGuest> {
  if (below === null) return await startFresh(place);
  const { files, plan, context } = place;
  await createLayer(join(files.folder, plan.disk), below, plan.disk_mib, context.signal);
  return await startOnDisk(place);
}

/** A guest that goes on with its disk: from the `bare` template where there is one, else booted. */
export async function startOnDisk(place: GuestPlace): Promise<StartedGuest> {
  const { room, files, plan, environment, context } = place;
  // The template's kernel knows the size of its own disk only.
  const template =
    plan.disk_mib > templateDiskMib
      ? undefined
      : await findTemplate(
          room.cacheFolder,
          templateKey(
            room.host,
            {
              kind: 'bare',
              size: sizeOf(plan),
              environmentDigest: environment.digest,
              rootImage: files.rootImage,
            },
            room.cpuModel,
          ),
        );
  if (template === undefined) return await boot(place);
  await touchTemplate(room.cacheFolder, template.key);
  return await restoreOrBoot(
    place,
    template,
    (guest) => guest.client.activate(plan.has_project, { signal: context.signal, timeoutMs: 60_000 }),
    async () => undefined,
  );
}

async function restoreOrBoot(
  place: GuestPlace,
  template: SavedGuest,
  mount: Mount,
  prepareBoot: () => Promise<void>,
): Promise<StartedGuest> {
  const { room, context } = place;
  const memory = { path: template.ram, isShared: false, isReadOnly: room.host.qemu.hasReadOnlyMemory };
  try {
    return await launch(place, { memory, magic: template.magic, stateFile: template.state }, mount);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isPyroError(error, ...startFailures)) throw error;
    // The template may be what is wrong: drop it, so that the next start makes a new one, and boot this guest.
    context.onProgress({ phase: 'boot', message: 'the template did not come up; booting without it' });
    await dropTemplate(room, template);
    await prepareBoot();
    return await boot(place);
  }
}

async function boot(place: GuestPlace): Promise<StartedGuest> {
  const { files, plan, context } = place;
  const ram = join(files.folder, ramFile);
  for (let attempt = 1; ; attempt++) {
    context.onProgress({ phase: 'boot', message: attempt === 1 ? 'booting' : `booting, attempt ${attempt}` });
    await rm(ram, { force: true });
    await makeSparse(ram, plan.mem_mib * mebibyte);
    try {
      const memory = { path: ram, isShared: false, isReadOnly: false };
      return await launch(place, { memory, magic: newMagic() }, async (guest) => {
        await guest.client.activate(plan.has_project, { signal: context.signal, timeoutMs: 60_000 });
        await grow(guest, place);
      });
    } catch (error) {
      context.signal.throwIfAborted();
      if (attempt >= bootTries || !isPyroError(error, ...startFailures)) throw error;
    } finally {
      // QEMU holds the file open; a private mapping of it needs no name.
      await rm(ram, { force: true });
    }
  }
}

/** Starts QEMU, introduces the guest to itself and mounts; a guest that fails on the way leaves nothing. */
async function launch(place: GuestPlace, source: Source, mount: Mount): Promise<StartedGuest> {
  const { room, files, plan, context } = place;
  const { signal } = context;
  // A guest that takes another's place needs sockets of its own while both run.
  const folder = `w${plan.id}-${randomBytes(3).toString('hex')}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(guestFolder(room.host, folder), { recursive: true, force: true }));
  const storage = {
    rootImage: files.rootImage,
    disk: join(files.folder, plan.disk),
    projectImage: plan.has_project ? files.projectImage : room.projectPlaceholder,
  };
  const life = place.isAttached === true ? {} : { messageFile: files.messages };
  const common = { id: plan.id, size: sizeOf(plan), storage, folderName: folder, ...life };
  const guest = undo.use(await Guest.start(room.host, { ...common, ...source, onRunning: place.onRunning }, signal));
  const identity = { hostname: hostName(plan.id), machineId: randomBytes(16).toString('hex') };
  const magic = newMagic();
  await guest.client.resume(identity, magic, { signal });
  await mount(guest);
  await place.arrive?.(guest, folder);
  const record: GuestRecord = {
    process: guest.identity(),
    folder,
    magic: magic.toString('hex'),
    machine_id: identity.machineId,
    accelerator: room.host.choice.accelerator,
  };
  undo.move();
  return { guest, record };
}

/** Takes over a guest that runs already. Throws `guest_unreachable`. */
export async function takeOver(
  room: MachineRoom,
  { id, diskFolder }: { readonly id: string; readonly diskFolder: string },
  record: GuestRecord,
  signal: AbortSignal,
): Promise<Guest> {
  const magic = Buffer.from(record.magic, 'hex');
  const running = { process: record.process, folderName: record.folder, magic, diskFolder };
  const guest = await Guest.adopt(room.host, running, signal);
  try {
    await guest.client.resume({ hostname: hostName(id), machineId: record.machine_id }, undefined, { signal });
    return guest;
  } catch (error) {
    await guest.release();
    throw error;
  }
}

/** Ends a guest that nobody has a session with. */
export async function endProcess({ process }: GuestRecord): Promise<void> {
  await new AdoptedProcess(process).kill();
}

/** Ends a guest at once and removes its sockets. */
export async function endGuest(room: MachineRoom, guest: Guest, record: GuestRecord): Promise<void> {
  await guest[Symbol.asyncDispose]();
  await rm(guestFolder(room.host, record.folder), { recursive: true, force: true });
}

function hostName(id: string): string {
  return `pyro-${id.slice(0, 6)}`;
}

function sizeOf(plan: GuestPlace['plan']): { vcpuCount: number; memoryMib: number } {
  return { vcpuCount: plan.vcpu_count, memoryMib: plan.mem_mib };
}

async function grow(guest: Guest, { plan, context }: GuestPlace): Promise<void> {
  if (plan.disk_mib <= templateDiskMib) return;
  await guest.qmp.execute('block_resize', { 'node-name': 's0', size: plan.disk_mib * mebibyte });
  await guest.client.grow({ signal: context.signal });
}
