// What every guest of this user needs: folders, QEMU, the guest kit, the accelerator, found once per process.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../../environment/store.ts';
import { ensureEmptyDisk, ensureProjectPlaceholder } from '../../machine/disks.ts';
import type { GuestSize, MachineHost } from '../../machine/guest.ts';
import { inspectCpu, inspectQemu } from '../../machine/host-facts.ts';
import { loadKit } from '../../machine/kit.ts';
import { chooseAccelerator } from '../../machine/probe.ts';
import { isProjectKey } from '../../machine/project-template.ts';
import {
  buildTemplate,
  findTemplate,
  readTemplate,
  type SavedGuest,
  type Template,
  type TemplateKind,
  templateFolder,
  templateKey,
  touchTemplate,
} from '../../machine/template.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError } from '../../shared/errors.ts';
import { acquireLock } from '../../system/lock.ts';
import { ensurePrivateFolder, type Paths } from '../../system/paths.ts';

export interface MachineRoom {
  readonly host: MachineHost;
  readonly cacheFolder: string;
  readonly emptyDisk: string;
  readonly projectPlaceholder: string;
  readonly cpuModel: string;
}

/** Longest wait for another process that prepares the same thing, `ms` */
const preparationMs = 600_000;

export async function openMachineRoom(paths: Paths, context: CallContext): Promise<MachineRoom> {
  const { signal } = context;
  await ensurePrivateFolder(paths.cache);
  await ensurePrivateFolder(paths.runtime);
  const [qemu, kit, cpu] = await Promise.all([inspectQemu(paths.cache), loadKit(), inspectCpu()]);
  const base = { qemu, kit, tscKhz: cpu.tscKhz, runtime: paths.runtime };
  const choice = await chooseAccelerator(base, cpu, paths.cache, signal);
  return {
    host: { ...base, choice },
    cacheFolder: paths.cache,
    emptyDisk: await ensureEmptyDisk(paths.cache, signal),
    projectPlaceholder: await ensureProjectPlaceholder(paths.cache),
    cpuModel: cpu.model,
  };
}

/** Whoever makes or removes a saved guest holds it. */
export function templateLock(cacheFolder: string, key: string): string {
  return join(cacheFolder, 'locks', isProjectKey(key) ? 'project-templates' : `template-${key}`);
}

/**
 * Removes a saved guest that did not come up, so that the next start makes a new one. One that somebody makes anew just
 * now, or has made since, is not the one that failed.
 */
export async function dropTemplate(
  { cacheFolder }: Pick<MachineRoom, 'cacheFolder'>,
  failed: SavedGuest,
): Promise<void> {
  try {
    await using _lock = await acquireLock(templateLock(cacheFolder, failed.key));
    const standing = await readTemplate(cacheFolder, failed.key);
    if (standing?.magic.equals(failed.magic) === true)
      await rm(templateFolder(cacheFolder, failed.key), { recursive: true, force: true });
  } catch (error) {
    if (!isPyroError(error, 'locked')) throw error;
  }
}

/** The environment that a template boots. */
export interface TemplateSource {
  readonly name: string;
  readonly digest: string;
  readonly imagePath: string;
}

export function templateSource({ digest, imagePath, record }: Environment): TemplateSource {
  return { name: record.name, digest, imagePath };
}

export interface FoundTemplate {
  readonly template: Template;
  /** Time for building it now, `ms`; 0 when it was there */
  readonly buildMs: number;
}

/** The template for this class of guests, built now when there is none; two processes build it once. */
export async function ensureTemplate(
  room: MachineRoom,
  environment: TemplateSource,
  size: GuestSize,
  context: CallContext,
  kind: TemplateKind = 'ready',
): Promise<FoundTemplate> {
  const wanted = { kind, size, environmentDigest: environment.digest, rootImage: environment.imagePath };
  const key = templateKey(room.host, wanted, room.cpuModel);
  const found = await findTemplate(room.cacheFolder, key);
  if (found !== undefined) {
    await touchTemplate(room.cacheFolder, key);
    return { template: found, buildMs: 0 };
  }
  const started = performance.now();
  await using _lock = await acquireLock(templateLock(room.cacheFolder, key), {
    signal: context.signal,
    waitMs: preparationMs,
    onWait: (holder) =>
      context.onProgress({
        phase: 'template',
        message: `waiting for ${holder}, which prepares the same template`,
      }),
  });
  const meanwhile = await findTemplate(room.cacheFolder, key);
  if (meanwhile !== undefined) return { template: meanwhile, buildMs: 0 };
  context.onProgress({
    phase: 'template',
    message: `booting once to make the template of ${environment.name} (${size.memoryMib} MiB, ${size.vcpuCount} CPU, ${room.host.choice.accelerator})`,
  });
  const { host, cacheFolder, emptyDisk, projectPlaceholder } = room;
  await buildTemplate({ host, cacheFolder, key, wanted, emptyDisk, projectPlaceholder }, context.signal);
  const template = await findTemplate(room.cacheFolder, key);
  if (template === undefined) throw new Error('the template is gone right after it was built');
  return { template, buildMs: performance.now() - started };
}
