// Guests that have a project mounted already, made while nobody waits: creates and resets from the same files use them.
import { join } from 'node:path';
import { copyDisk, ensureRelativeOverlay } from '../machine/disks.ts';
import type { GuestSize } from '../machine/guest.ts';
import {
  buildProjectTemplate,
  findProjectTemplate,
  type ProjectTemplate,
  pruneProjectTemplates,
} from '../machine/project-template.ts';
import type { Template } from '../machine/template.ts';
import { readImageId } from '../project/image-id.ts';
import { projectGuestFolder } from '../project/project-types.ts';
import type { CallContext } from '../shared/call-context.ts';
import { systemCodeOf } from '../shared/errors.ts';
import { acquireLock } from '../system/lock.ts';
import { ensureTemplate, type MachineRoom, type TemplateSource } from './machine-room.ts';

/** Each is as large as the memory that its guest has touched. */
const keptTemplates = 3;
/** Another process that builds one is about to end, or hangs, `ms` */
const lockMs = 60_000;
/** As long as a look through a large project may take: its names and times are in the guest's memory then. */
const lookThrough = 'git --no-optional-locks status >/dev/null 2>&1 || ls -lR . >/dev/null 2>&1';

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
}

/** Makes the template of a project, unless it is there. */
export async function prepareProject(room: MachineRoom, guest: ProjectGuest, context: CallContext): Promise<void> {
  const { cacheFolder, host } = room;
  const { signal } = context;
  const { source, size, environment, projectImage } = guest;
  const imageId = await readImageId(projectImage);
  if (imageId === undefined) return;
  const { template: ready } = await ensureTemplate(room, source, size, context);
  if ((await findProjectTemplate(cacheFolder, ready, imageId)) !== undefined) return;
  await using _lock = await acquireLock(join(cacheFolder, 'locks', 'project-templates'), { signal, waitMs: lockMs });
  if ((await findProjectTemplate(cacheFolder, ready, imageId)) !== undefined) return;
  await pruneProjectTemplates(cacheFolder, keptTemplates - 1);
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
