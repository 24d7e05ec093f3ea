// Guests that have a project mounted already, made while nobody waits: creates and resets from the same files use them.
import { statfs } from 'node:fs/promises';
import { copyDisk, ensureRelativeOverlay } from '../../machine/disks.ts';
import type { GuestSize } from '../../machine/guest.ts';
import {
  buildProjectTemplate,
  findProjectTemplate,
  type ProjectTemplate,
  projectTemplateKey,
  pruneProjectTemplates,
} from '../../machine/project-template.ts';
import type { Template } from '../../machine/template.ts';
import { readImageId } from '../../project/image-id.ts';
import { projectGuestFolder } from '../../project/project-types.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { systemCodeOf } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';
import { acquireLock } from '../../system/lock.ts';
import { ensureTemplate, type MachineRoom, type TemplateSource, templateLock } from './machine-room.ts';

/** Each is as large as the memory that its guest has touched. */
const keptTemplates = 3;
/** Another process that builds one is about to end, or hangs, `ms` */
const lockMs = 60_000;
/** Brings names and times into the guest's memory. */
const list = 'ls -lR . >/dev/null 2>&1';
const status = 'git --no-optional-locks -c core.fsmonitor=false status >/dev/null 2>&1';
/** Disk that a guest leaves to others, `MiB` */
const reserveMib = 1024;

/** The guest to start from in place of `ready`, if there is one for this image, with its layer copied to `disk`. */
export async function takePrepared(
  room: MachineRoom,
  ready: Template,
  projectImage: string,
  disk: string,
): Promise<ProjectTemplate | undefined> {
  const imageId = await readImageId(projectImage);
  const prepared = imageId === undefined ? undefined : await findProjectTemplate(room.cacheFolder, ready, imageId);
  if (prepared === undefined) return undefined;
  try {
    await copyDisk(prepared.layer, disk);
    return prepared;
  } catch (error) {
    // Another process has made room just now.
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** The guest that is to be prepared. */
export interface ProjectGuest {
  readonly source: TemplateSource;
  readonly size: GuestSize;
  /** Variables of its commands */
  readonly environment: Readonly<Record<string, string>>;
  readonly projectImage: string;
  /** True when the repository's settings are those that pyro writes; others could start programs */
  readonly hasPlainSettings: boolean;
}

/** Makes the template of a project, unless it is there. */
export async function prepareProject(room: MachineRoom, guest: ProjectGuest, context: CallContext): Promise<void> {
  const { cacheFolder, host } = room;
  const { signal } = context;
  const { source, size, environment, projectImage, hasPlainSettings } = guest;
  const imageId = await readImageId(projectImage);
  if (imageId === undefined) return;
  const { template: ready } = await ensureTemplate(room, source, size, context);
  if ((await findProjectTemplate(cacheFolder, ready, imageId)) !== undefined) return;
  await using _lock = await acquireLock(templateLock(cacheFolder, projectTemplateKey(ready, imageId)), {
    signal,
    waitMs: lockMs,
  });
  if ((await findProjectTemplate(cacheFolder, ready, imageId)) !== undefined) return;
  await pruneProjectTemplates(cacheFolder, keptTemplates - 1);
  const { bavail, bsize } = await statfs(cacheFolder);
  // Running guests need the disk more.
  if (bavail * bsize < (size.memoryMib + reserveMib) * mebibyte) return;
  const lookThrough = hasPlainSettings ? `${status} || ${list}` : list;
  await buildProjectTemplate(
    {
      host,
      cacheFolder,
      ready,
      size,
      environmentDigest: source.digest,
      rootImage: source.imagePath,
      projectImage,
      imageId,
      emptyLayer: await ensureRelativeOverlay(cacheFolder, signal),
      commands: [{ argv: ['/bin/sh', '-c', lookThrough], env: environment, cwd: projectGuestFolder }],
    },
    signal,
  );
}
