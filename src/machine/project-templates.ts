// Guests that have a project mounted already, made while nobody waits: creates and resets from the same files use them.
import { statfs } from 'node:fs/promises';
import type { CallContext } from '../shared/call-context.ts';
import { systemCodeOf } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { acquireLock } from '../system/lock.ts';
import { copyDisk, ensureRelativeOverlay } from './disks.ts';
import type { GuestDisks, ProjectPreparation } from './machine.ts';
import {
  buildProjectTemplate,
  findProjectTemplate,
  type ProjectTemplate,
  projectTemplateKey,
  pruneProjectTemplates,
} from './project-template.ts';
import type { Template } from './template.ts';
import { ensureTemplate, type QemuSetup, templateLock } from './templates.ts';

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
  { cacheFolder }: QemuSetup,
  ready: Template,
  { imageId }: NonNullable<GuestDisks['project']>,
  disk: string,
): Promise<ProjectTemplate | undefined> {
  const prepared = imageId === undefined ? undefined : await findProjectTemplate(cacheFolder, ready, imageId);
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

/** Makes the template of a project, unless it is there. */
export async function prepareProject(
  setup: QemuSetup,
  project: ProjectPreparation,
  context: CallContext,
): Promise<void> {
  const { cacheFolder, host } = setup;
  const { signal } = context;
  const { environment, size, variables, image, imageId, folder, hasPlainSettings } = project;
  const { template: ready } = await ensureTemplate(setup, environment, size, context);
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
      environmentDigest: environment.digest,
      rootImage: environment.imagePath,
      projectImage: image,
      imageId,
      emptyLayer: await ensureRelativeOverlay(cacheFolder, signal),
      commands: [{ argv: ['/bin/sh', '-c', lookThrough], env: variables, cwd: folder }],
    },
    signal,
  );
}
