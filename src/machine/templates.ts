// Templates found, made once by whoever comes first, and dropped when they fail.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError } from '../shared/errors.ts';
import { assertRoom } from '../system/disk-room.ts';
import { acquireLock } from '../system/lock.ts';
import type { GuestEnvironment, GuestSize, TemplateKind } from './machine.ts';
import { isProjectKey } from './project-template.ts';
import type { QemuHost } from './qemu-guest.ts';
import {
  buildTemplate,
  findTemplate,
  readTemplate,
  type SavedGuest,
  type Template,
  type TemplateClass,
  templateFolder,
  templateKey,
  touchTemplate,
} from './template.ts';

/** What guests in QEMU are made from, found once for each process. */
export interface QemuSetup {
  readonly host: QemuHost;
  readonly cacheFolder: string;
  readonly emptyDisk: string;
  readonly projectPlaceholder: string;
  readonly cpuModel: string;
  /** Told of a saved guest that did not come up, beside the call that goes on without it */
  readonly onFallback?: ((template: string, why: string) => void) | undefined;
}

/** Longest wait for another process that prepares the same thing, `ms` */
const preparationMs = 600_000;

/** Whoever makes or removes a saved guest holds it. */
export function templateLock(cacheFolder: string, key: string): string {
  return join(cacheFolder, 'locks', isProjectKey(key) ? 'project-templates' : `template-${key}`);
}

/**
 * Removes a saved guest that did not come up, so that the next start makes a new one. One that somebody makes anew just
 * now, or has made since, is not the one that failed.
 */
export async function dropTemplate({ cacheFolder }: Pick<QemuSetup, 'cacheFolder'>, failed: SavedGuest): Promise<void> {
  try {
    await using _lock = await acquireLock(templateLock(cacheFolder, failed.key));
    const standing = await readTemplate(cacheFolder, failed.key);
    if (standing?.magic.equals(failed.magic) === true)
      await rm(templateFolder(cacheFolder, failed.key), { recursive: true, force: true });
  } catch (error) {
    if (!isPyroError(error, 'locked')) throw error;
  }
}

/** The same for a start that goes on without it: one that stays, in a cache that is read-only, say, does not keep the guest from booting. */
export async function dropIfPossible(setup: Pick<QemuSetup, 'cacheFolder'>, failed: SavedGuest): Promise<void> {
  await dropTemplate(setup, failed).catch(() => undefined);
}

/** The template of this class of guests, if there is one. */
export async function findReady(
  { host, cacheFolder, cpuModel }: QemuSetup,
  environment: GuestEnvironment,
  size: GuestSize,
  kind: TemplateKind = 'ready',
): Promise<Template | undefined> {
  return await findTemplate(cacheFolder, templateKey(host, templateClass(environment, size, kind), cpuModel));
}

function templateClass(environment: GuestEnvironment, size: GuestSize, kind: TemplateKind): TemplateClass {
  return { kind, size, environmentDigest: environment.digest, rootImage: environment.imagePath };
}

export interface FoundTemplate {
  readonly template: Template;
  /** Time for building it now, `ms`; 0 when it was there */
  readonly buildMs: number;
}

/** The template for this class of guests, built now when there is none; two processes build it once. */
export async function ensureTemplate(
  setup: QemuSetup,
  environment: GuestEnvironment,
  size: GuestSize,
  context: CallContext,
  kind: TemplateKind = 'ready',
): Promise<FoundTemplate> {
  const wanted = templateClass(environment, size, kind);
  const key = templateKey(setup.host, wanted, setup.cpuModel);
  const found = await findTemplate(setup.cacheFolder, key);
  if (found !== undefined) {
    await touchTemplate(setup.cacheFolder, key);
    return { template: found, buildMs: 0 };
  }
  const started = performance.now();
  await using _lock = await acquireLock(templateLock(setup.cacheFolder, key), {
    signal: context.signal,
    waitMs: preparationMs,
    onWait: (holder) =>
      context.onProgress({
        phase: 'template',
        message: `waiting for ${holder}, which prepares the same template`,
      }),
  });
  const meanwhile = await findTemplate(setup.cacheFolder, key);
  if (meanwhile !== undefined) return { template: meanwhile, buildMs: 0 };
  // The memory of its guest lies in a mapped file: on a disk that fills up QEMU would be killed, with no word of why.
  await assertRoom({ cache: setup.cacheFolder }, 'a template', context.signal);
  context.onProgress({
    phase: 'template',
    message: `booting once to make the template of ${environment.name} (${size.memoryMib} MiB, ${size.vcpuCount} CPU, ${setup.host.choice.accelerator})`,
  });
  const { host, cacheFolder, emptyDisk, projectPlaceholder } = setup;
  await buildTemplate({ host, cacheFolder, key, wanted, emptyDisk, projectPlaceholder }, context.signal);
  const template = await findTemplate(setup.cacheFolder, key);
  if (template === undefined) throw new Error('the template is gone right after it was built');
  return { template, buildMs: performance.now() - started };
}

/** Removes both templates of a class; waits for whoever makes one. */
export async function dropTemplates(
  { host, cacheFolder, cpuModel }: QemuSetup,
  environment: GuestEnvironment,
  size: GuestSize,
  { signal }: CallContext,
): Promise<void> {
  for (const kind of ['ready', 'bare'] as const) {
    const key = templateKey(host, templateClass(environment, size, kind), cpuModel);
    await using _lock = await acquireLock(templateLock(cacheFolder, key), { signal, waitMs: preparationMs });
    await rm(templateFolder(cacheFolder, key), { recursive: true, force: true });
  }
}
