// Guests saved with a project mounted and looked through: the next one of the same project goes on from there.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isTemporaryName, temporaryName } from '../system/files.ts';
import { copyDisk, copySparse, linkOrCopy } from './disks.ts';
import type { GuestSize } from './machine.ts';
import { ownedFolderName } from './owned-folders.ts';
import { newMagic, QemuGuest, type QemuHost } from './qemu-guest.ts';
import { runQuietly, type WarmUpCommand } from './save-state.ts';
import {
  areThere,
  publish,
  readTemplate,
  removeDrafts,
  type SavedGuest,
  type Template,
  templateFolder,
  touchTemplate,
} from './template.ts';

/** What sets their folders apart from those of other templates */
const keyStart = 'p';

export function isProjectKey(key: string): boolean {
  return key.startsWith(keyStart);
}

export interface ProjectTemplate extends SavedGuest {
  /** What the guest had written to its disk: an overlay on `base.qcow2` beside it, to be copied */
  readonly layer: string;
}

/** Name of the template of one image on one template; either made anew has another. */
export function projectTemplateKey(ready: Template, imageId: string): string {
  const parts = [ready.key, ready.magic.toString('hex'), imageId];
  return keyStart + createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 31);
}

/** The saved template, or undefined when there is none. It counts as used now. */
export async function findProjectTemplate(
  cacheFolder: string,
  ready: Template,
  imageId: string,
): Promise<ProjectTemplate | undefined> {
  const key = projectTemplateKey(ready, imageId);
  const saved = await readTemplate(cacheFolder, key);
  if (saved === undefined) return undefined;
  const layer = join(templateFolder(cacheFolder, key), 'layer.qcow2');
  if (!(await areThere([layer]))) return undefined;
  await touchTemplate(cacheFolder, key);
  return { ...saved, layer };
}

export interface ProjectTemplatePlan {
  readonly host: QemuHost;
  readonly cacheFolder: string;
  readonly ready: Template;
  readonly size: GuestSize;
  readonly environmentDigest: string;
  readonly rootImage: string;
  readonly projectImage: string;
  readonly imageId: string;
  /** Empty overlay on `base.qcow2` beside it */
  readonly emptyLayer: string;
  /** Bring the project into the guest's memory */
  readonly commands: readonly WarmUpCommand[];
}

/** Restores a guest, mounts the project, and saves it again; it appears whole or not at all. One builder at a time. */
export async function buildProjectTemplate(plan: ProjectTemplatePlan, signal: AbortSignal): Promise<void> {
  const { host, ready } = plan;
  const started = performance.now();
  const key = projectTemplateKey(ready, plan.imageId);
  const final = templateFolder(plan.cacheFolder, key);
  const draft = temporaryName(final);
  const folderName = ownedFolderName();
  const magic = newMagic();
  await removeDrafts(dirname(final), keyStart);
  await mkdir(draft, { mode: 0o700 });
  try {
    const ram = join(draft, 'ram');
    const disk = join(draft, 'layer.qcow2');
    const base = join(draft, 'base.qcow2');
    await linkOrCopy(ready.disk, base);
    await copyDisk(plan.emptyLayer, disk);
    await copySparse(ready.ram, ram, signal);
    {
      await using guest = await QemuGuest.start(
        host,
        {
          id: `t${randomBytes(5).toString('hex')}`,
          size: plan.size,
          storage: { rootImage: plan.rootImage, disk, below: [base], projectImage: plan.projectImage },
          memory: { path: ram, isShared: true, isReadOnly: false },
          magic: ready.magic,
          stateFile: ready.state,
          folderName,
          isSaved: true,
        },
        signal,
      );
      const identity = { hostname: 'pyro', machineId: randomBytes(16).toString('hex') };
      await guest.client.resume(identity, magic, { signal });
      await guest.client.mountProject({ signal });
      await runQuietly(guest, plan.commands, signal);
      await guest.client.sync({ signal });
      await guest.save(join(draft, 'state'), signal);
    }
    const buildMs = performance.now() - started;
    await publish(draft, final, { key, magic, environmentDigest: plan.environmentDigest, buildMs });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Removes all but the last used ones. */
export async function pruneProjectTemplates(cacheFolder: string, kept: number): Promise<void> {
  const folder = dirname(templateFolder(cacheFolder, keyStart));
  const found: { readonly path: string; readonly used: number }[] = [];
  for (const name of await readdir(folder)) {
    if (!isProjectKey(name) || isTemporaryName(name)) continue;
    const path = join(folder, name);
    found.push({ path, used: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 });
  }
  for (const { path } of found.sort((a, b) => b.used - a.used).slice(kept)) {
    await rm(path, { recursive: true, force: true });
  }
}
