// Templates: a guest booted once, mounted and warmed, then saved so that later guests continue from there.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, realpath, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isPyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { type KeptFile, sumsOf } from '../system/content-check.ts';
import { isTemporaryName, ownFileSize, readJson, syncFile, temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import type { MachineStorage } from './arguments.ts';
import { takeBack } from './confinement-plan.ts';
import { nameBelow } from './disk-chain.ts';
import { copyDisk, createOverlay, makeSparse } from './disks.ts';
import type { GuestSize, TemplateKind } from './machine.ts';
import { ownedFolderName } from './owned-folders.ts';
import { newMagic, QemuGuest, type QemuHost } from './qemu-guest.ts';
import { runQuietly, type WarmUpCommand } from './save-state.ts';

/** What most first commands need: its pages and the agent's paths are in memory then. */
const warmUpCommands: readonly WarmUpCommand[] = [
  { argv: ['/bin/sh', '-c', 'true'] },
  { argv: ['/bin/sh', '-c', 'ls / >/dev/null; command -v git && git --version'] },
  { argv: ['true'] },
];

/** Counts changes of the machine's shape that the other parts of the key do not show. */
const shapeVersion = 2;

const templateSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  magic: z.string().regex(/^[0-9a-f]{32}$/),
  environment_digest: z.string(),
  created_at: z.string(),
  build_ms: z.number(),
  /** Digests of its files by name; absent in templates of early versions */
  sha256: z
    .record(
      z.string(),
      z.object({ bytes: z.number(), sha256: z.string(), pieces: z.array(z.string()).readonly().optional() }),
    )
    .default({}),
});

/** A guest as it stood when it was saved: files of its memory and of its devices. */
export interface SavedGuest {
  readonly key: string;
  readonly magic: Buffer;
  readonly ram: string;
  readonly state: string;
  /** All of its files, as they were when it was saved */
  readonly kept: readonly KeptFile[];
}

export interface Template extends SavedGuest {
  /** The frozen disk */
  readonly disk: string;
  /** Empty overlay on it, to be copied */
  readonly overlay: string;
}

export interface TemplateClass {
  readonly kind: TemplateKind;
  readonly size: GuestSize;
  readonly environmentDigest: string;
  readonly rootImage: string;
}

/** Name of a template: whatever could make a saved state unfit is part of it. */
export function templateKey(host: QemuHost, wanted: TemplateClass, cpuModel: string): string {
  const parts = [
    shapeVersion,
    wanted.kind,
    host.kit.digest,
    wanted.environmentDigest,
    wanted.size.memoryMib,
    wanted.size.vcpuCount,
    host.qemu.stamp,
    host.qemu.version,
    host.choice.accelerator,
    cpuModel,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

export function templateFolder(cacheFolder: string, key: string): string {
  return join(cacheFolder, 'templates', key);
}

/** The saved template, or undefined when there is none. */
export async function findTemplate(cacheFolder: string, key: string): Promise<Template | undefined> {
  const saved = await readTemplate(cacheFolder, key);
  if (saved === undefined) return undefined;
  const folder = templateFolder(cacheFolder, key);
  const [disk, overlay] = [join(folder, 'disk.qcow2'), join(folder, 'overlay.qcow2')];
  if (!(await areThere([disk, overlay]))) return undefined;
  // In a cache that was copied or moved, overlays stand on the disk of where it was.
  const base = await realpath((await nameBelow(overlay)) ?? '').catch(() => undefined);
  return base === (await realpath(disk)) ? { ...saved, disk, overlay } : undefined;
}

/** True when all of these files stand there: a removal that was cut off may have left some. */
export async function areThere(paths: readonly string[]): Promise<boolean> {
  return (await Promise.all(paths.map(ownFileSize))).every((size) => size !== undefined);
}

/** What each kind of template has; undefined when it is not there whole. */
export async function readTemplate(cacheFolder: string, key: string): Promise<SavedGuest | undefined> {
  const folder = templateFolder(cacheFolder, key);
  const record = await readJson(join(folder, 'template.json'), templateSchema).catch((error: unknown) => {
    // A damaged template is worth as much as none: it is made again.
    if (isPyroError(error, 'state_damaged')) return undefined;
    throw error;
  });
  if (record === undefined) return undefined;
  const magic = Buffer.from(record.magic, 'hex');
  const [ram, state] = [join(folder, 'ram'), join(folder, 'state')];
  const kept = Object.entries(record.sha256).map(([name, sum]) => ({ path: join(folder, name), ...sum }));
  return (await areThere([ram, state])) ? { key, magic, ram, state, kept } : undefined;
}

/** Notes that a template is used now, for who removes old ones. */
export async function touchTemplate(cacheFolder: string, key: string): Promise<void> {
  const now = new Date();
  // One that a prune takes away meanwhile is missed by the guest that is to start from it.
  await utimes(templateFolder(cacheFolder, key), now, now).catch(() => undefined);
}

/** Keys of all whole templates of an environment, of whatever kit, QEMU or processor. */
export async function findTemplatesOf(cacheFolder: string, environmentDigest: string): Promise<string[]> {
  const keys: string[] = [];
  for (const key of await readdir(join(cacheFolder, 'templates')).catch(() => [])) {
    const file = join(templateFolder(cacheFolder, key), 'template.json');
    const record = await readJson(file, templateSchema).catch(() => undefined);
    if (record?.environment_digest === environmentDigest) keys.push(key);
  }
  return keys;
}

export interface TemplatePlan {
  readonly host: QemuHost;
  readonly cacheFolder: string;
  readonly key: string;
  readonly wanted: TemplateClass;
  readonly emptyDisk: string;
  readonly projectPlaceholder: string;
}

/** Boots a guest and saves it; it appears whole under its key or not at all. The caller holds the lock of the key. */
export async function buildTemplate(plan: TemplatePlan, signal: AbortSignal): Promise<void> {
  const { host, wanted } = plan;
  const started = performance.now();
  const final = templateFolder(plan.cacheFolder, plan.key);
  const draft = temporaryName(final);
  const id = `t${randomBytes(5).toString('hex')}`;
  const folderName = ownedFolderName();
  const magic = newMagic();
  await makeFolder(dirname(final));
  await removeDrafts(dirname(final), plan.key);
  await mkdir(draft, { mode: 0o700 });
  try {
    await makeSparse(join(draft, 'ram'), wanted.size.memoryMib * mebibyte);
    await copyDisk(plan.emptyDisk, join(draft, 'disk.qcow2'));
    await createOverlay(join(draft, 'overlay.qcow2'), join(final, 'disk.qcow2'), signal);
    const storage: MachineStorage = {
      rootImage: wanted.rootImage,
      disk: join(draft, 'disk.qcow2'),
      below: [],
      projectImage: plan.projectPlaceholder,
    };
    const memory = { path: join(draft, 'ram'), isShared: true, isReadOnly: false };
    {
      await using guest = await QemuGuest.start(
        host,
        { id, size: wanted.size, storage, memory, magic, folderName, isSaved: true },
        signal,
      );
      await guest.client.resume({ hostname: 'pyro', machineId: randomBytes(16).toString('hex') }, undefined, {
        signal,
      });
      if (wanted.kind === 'ready') {
        await guest.client.activate(false, { signal, timeoutMs: 60_000 });
        await runQuietly(guest, warmUpCommands, signal);
        await guest.client.sync({ signal });
      }
      await guest.save(join(draft, 'state'), signal);
    }
    const buildMs = performance.now() - started;
    await publish(draft, final, { key: plan.key, magic, environmentDigest: wanted.environmentDigest, buildMs });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Gives a finished draft its place: whoever looks there finds it whole. */
export async function publish(
  draft: string,
  final: string,
  template: {
    readonly key: string;
    readonly magic: Buffer;
    readonly environmentDigest: string;
    readonly buildMs: number;
  },
): Promise<void> {
  const sha256: Record<string, Omit<KeptFile, 'path'>> = {};
  for (const name of await readdir(draft)) {
    const path = join(draft, name);
    const { size: bytes } = await stat(path);
    sha256[name] = await sumsOf({ path, bytes });
  }
  const record = {
    sha256,
    version: 1,
    key: template.key,
    magic: template.magic.toString('hex'),
    environment_digest: template.environmentDigest,
    created_at: new Date().toISOString(),
    build_ms: Math.round(template.buildMs),
  };
  // A draft that somebody has removed meanwhile is not made anew by its record.
  await writeFile(join(draft, 'template.json'), JSON.stringify(record), { mode: 0o600 });
  // After a power loss there is the whole or nothing: holes in a guest's memory would go unnoticed.
  for (const name of await readdir(draft)) {
    await takeBack(join(draft, name));
    await syncFile(join(draft, name));
  }
  await rm(final, { recursive: true, force: true });
  await rename(draft, final);
}

/** Removes drafts, of keys that begin so, whose builders were killed: whoever builds now is the only one. */
export async function removeDrafts(folder: string, keyStart: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(keyStart) || !isTemporaryName(name)) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
