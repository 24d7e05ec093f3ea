// Throw-away guests: a folder with an owner, a guest in it, and everything gone afterwards, whatever happens.
import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../../environment/store.ts';
import { copyDisk, linkOrCopy, makeSparse } from '../../machine/disks.ts';
import { Guest, type GuestSize, guestFolder, newMagic } from '../../machine/guest.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';
import { readJson, writeJson } from '../../system/files.ts';
import { makeFolder } from '../../system/folders.ts';
import type { Paths } from '../../system/paths.ts';
import { identifySelf, isRunning, processIdentitySchema } from '../../system/processes.ts';
import { dropTemplate, ensureTemplate, type MachineRoom, templateSource } from './machine-room.ts';
import { takePrepared } from './project-templates.ts';

export interface ThrowAway extends AsyncDisposable {
  readonly id: string;
  readonly guest: Guest;
  readonly bootSource: 'template' | 'cold';
  /** From the start of QEMU to a guest that takes commands, `ms` */
  readonly bootMs: number;
  readonly templateMs: number;
}

const coldTries = 3;

export function runsFolder(paths: Paths): string {
  return join(paths.state, 'runs');
}

/** Removes what owners that are dead have left behind. */
export async function sweepRuns(paths: Paths): Promise<void> {
  const folder = runsFolder(paths);
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const owner = await readJson(join(folder, name, 'owner.json'), processIdentitySchema).catch(() => undefined);
    if (owner === undefined ? !(await isFresh(join(folder, name))) : !isRunning(owner)) {
      await rm(join(paths.runtime, name), { recursive: true, force: true });
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** A folder without an owner yet may be a second old; its owner is about to sign. */
async function isFresh(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && Date.now() - status.mtimeMs < 60_000;
}

/** A guest that takes commands, from the template or booted; disposing it leaves nothing. */
export async function startThrowAway(
  room: MachineRoom,
  paths: Paths,
  environment: Environment,
  size: GuestSize,
  isCold: boolean,
  context: CallContext,
  projectImage?: string,
): Promise<ThrowAway> {
  await using undo = new AsyncDisposableStack();
  const id = randomBytes(6).toString('hex');
  const folder = join(runsFolder(paths), id);
  await makeFolder(folder);
  undo.defer(async () => {
    await rm(guestFolder(room.host, id), { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });
  await writeJson(join(folder, 'owner.json'), identifySelf());
  const place: Place = { room, folder, id, environment, size, context, projectImage };
  const started = isCold ? { ...(await bootCold(place)), templateMs: 0 } : await restore(place);
  const guest = undo.use(started.guest);
  const parts = undo.move();
  return {
    id,
    guest,
    bootSource: started.source,
    bootMs: started.bootMs,
    templateMs: started.templateMs,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

interface Place {
  readonly room: MachineRoom;
  readonly folder: string;
  readonly id: string;
  readonly environment: Environment;
  readonly size: GuestSize;
  readonly context: CallContext;
  /** Mounted below /workspace */
  readonly projectImage: string | undefined;
}

interface Started {
  readonly guest: Guest;
  readonly source: 'template' | 'cold';
  readonly bootMs: number;
}

async function restore(place: Place): Promise<Started & { templateMs: number }> {
  const { room, context, environment, size } = place;
  const { template, buildMs } = await ensureTemplate(room, templateSource(environment), size, context);
  const started = performance.now();
  const disk = join(place.folder, 'disk.qcow2');
  const prepared =
    place.projectImage === undefined ? undefined : await takePrepared(room, template, place.projectImage, disk);
  const saved = prepared ?? template;
  if (prepared === undefined) await copyDisk(template.overlay, disk);
  else await linkOrCopy(template.disk, join(place.folder, 'base.qcow2'));
  try {
    const guest = await Guest.start(
      room.host,
      {
        id: place.id,
        size,
        storage: {
          rootImage: environment.imagePath,
          disk,
          projectImage: place.projectImage ?? room.projectPlaceholder,
        },
        memory: { path: saved.ram, isShared: false, isReadOnly: room.host.qemu.hasReadOnlyMemory },
        magic: saved.magic,
        stateFile: saved.state,
      },
      context.signal,
    );
    await introduce(guest, place, async () => {
      if (place.projectImage !== undefined && prepared === undefined)
        await guest.client.mountProject({ signal: context.signal });
    });
    return { guest, source: 'template', bootMs: performance.now() - started, templateMs: buildMs };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isPyroError(error, 'guest_boot_failed', 'guest_unreachable', 'template_invalid')) throw error;
    // The template may be what is wrong: drop it, so that the next run makes a new one, and boot this guest.
    context.onProgress({ phase: 'boot', message: 'the template did not come up; booting without it' });
    await dropTemplate(room, saved);
    await rm(disk, { force: true });
    return { ...(await bootCold(place)), templateMs: buildMs };
  }
}

async function bootCold(place: Place): Promise<Started> {
  const { room, context, size } = place;
  for (let attempt = 1; ; attempt++) {
    const started = performance.now();
    const disk = join(place.folder, 'disk.qcow2');
    const ram = join(place.folder, 'ram');
    context.onProgress({ phase: 'boot', message: attempt === 1 ? 'booting' : `booting, attempt ${attempt}` });
    await copyDisk(room.emptyDisk, disk);
    await makeSparse(ram, size.memoryMib * mebibyte);
    try {
      const guest = await Guest.start(
        room.host,
        {
          id: place.id,
          size,
          storage: {
            rootImage: place.environment.imagePath,
            disk,
            projectImage: place.projectImage ?? room.projectPlaceholder,
          },
          memory: { path: ram, isShared: false, isReadOnly: false },
          magic: newMagic(),
        },
        context.signal,
      );
      await introduce(guest, place, async () => {
        await guest.client.activate(place.projectImage !== undefined, { signal: context.signal, timeoutMs: 60_000 });
      });
      return { guest, source: 'cold', bootMs: performance.now() - started };
    } catch (error) {
      context.signal.throwIfAborted();
      if (attempt >= coldTries || !isPyroError(error, 'guest_boot_failed', 'guest_unreachable')) throw error;
      await rm(disk, { force: true });
      await rm(ram, { force: true });
    }
  }
}

/** Gives the guest its identity and disks. It ends when that fails: nobody else knows of it yet. */
async function introduce(guest: Guest, place: Place, mount: () => Promise<void>): Promise<void> {
  await using undo = new AsyncDisposableStack();
  undo.use(guest);
  const identity = { hostname: `pyro-${place.id.slice(0, 6)}`, machineId: randomBytes(16).toString('hex') };
  await guest.client.resume(identity, newMagic(), { signal: place.context.signal });
  await mount();
  undo.move();
}
