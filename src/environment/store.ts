// The local cache of environments: immutable images named by digest, and names that point to them.
import { createHash } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { readJson, writeJson } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';

export const recordSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  reference: z.string(),
  source: z.enum(['registry', 'packages']),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  image_bytes: z.number().int().positive(),
  created_at: z.string(),
  config: z.object({
    env: z.array(z.string()),
    working_dir: z.string(),
    user: z.string(),
    entrypoint: z.array(z.string()),
    cmd: z.array(z.string()),
  }),
  layers: z.number().int(),
  packages: z.array(z.string()),
});
export type EnvironmentRecord = z.infer<typeof recordSchema>;

const pointerSchema = z.object({ name: z.string(), digest: z.string() });

export interface Environment {
  readonly record: EnvironmentRecord;
  readonly digest: string;
  /** Squashfs image of the root */
  readonly imagePath: string;
}

export interface Store {
  readonly root: string;
}

export function openStore(cacheFolder: string): Store {
  return { root: cacheFolder };
}

function environmentsFolder(store: Store): string {
  return join(store.root, 'environments');
}

function folderOf(store: Store, digest: string): string {
  return join(environmentsFolder(store), digest.replace('sha256:', ''));
}

function pointerFile(store: Store, name: string): string {
  return join(store.root, 'refs', `${createHash('sha256').update(name).digest('hex')}.json`);
}

export function blobsFolder(store: Store): string {
  return join(store.root, 'blobs', 'sha256');
}

/** The environment of this name, undefined when it is not cached. Throws `environment_damaged`. */
export async function resolveEnvironment(store: Store, name: string): Promise<Environment | undefined> {
  const pointer = await readJson(pointerFile(store, name), pointerSchema).catch(() => undefined);
  if (pointer === undefined) return undefined;
  return await loadEnvironment(store, pointer.digest, name);
}

async function loadEnvironment(store: Store, digest: string, name: string): Promise<Environment | undefined> {
  const folder = folderOf(store, digest);
  const damaged = (why: string): PyroError =>
    new PyroError('environment_damaged', `environment ${name} is damaged: ${why}`, {
      hint: `get it again with: pyro env pull ${name}`,
    });
  let record: EnvironmentRecord | undefined;
  try {
    record = await readJson(join(folder, 'environment.json'), recordSchema);
  } catch {
    throw damaged('its record does not parse');
  }
  if (record === undefined) throw damaged('its record is gone');
  const imagePath = join(folder, 'root.squashfs');
  const size = (await stat(imagePath).catch(() => undefined))?.size;
  if (size !== record.image_bytes) throw damaged(`its image has ${size ?? 0} bytes, not ${record.image_bytes}`);
  return { record: { ...record, name }, digest: record.digest, imagePath };
}

/** Takes over a finished image under its digest and points the name to it. */
export async function addEnvironment(store: Store, record: EnvironmentRecord, imageFile: string): Promise<Environment> {
  const folder = folderOf(store, record.digest);
  await makeFolder(folder);
  await rename(imageFile, join(folder, 'root.squashfs'));
  await writeJson(join(folder, 'environment.json'), record);
  await pointTo(store, record.name, record.digest);
  return { record, digest: record.digest, imagePath: join(folder, 'root.squashfs') };
}

export async function pointTo(store: Store, name: string, digest: string): Promise<void> {
  await writeJson(pointerFile(store, name), { name, digest });
}

/** All cached environments by name; damaged ones are left to {@link resolveEnvironment} to report. */
export async function listEnvironments(store: Store): Promise<Environment[]> {
  const found: Environment[] = [];
  for (const file of await readdir(join(store.root, 'refs')).catch(() => [])) {
    const pointer = await readJson(join(store.root, 'refs', file), pointerSchema).catch(() => undefined);
    if (pointer === undefined) continue;
    const environment = await loadEnvironment(store, pointer.digest, pointer.name).catch(() => undefined);
    if (environment !== undefined) found.push(environment);
  }
  return found.sort((a, b) => a.record.name.localeCompare(b.record.name));
}

/** Removes partial files, merged layers and images that no name points to; with `isAll` the names too. */
export async function pruneStore(store: Store, isAll: boolean): Promise<{ freed_bytes: number; removed: string[] }> {
  const removed: string[] = [];
  let freed = 0;
  const drop = async (path: string, label: string): Promise<void> => {
    freed += await sizeOf(path);
    await rm(path, { recursive: true, force: true });
    removed.push(label);
  };
  const named = new Map(
    (isAll ? [] : await listEnvironments(store)).map((each) => [each.digest.replace('sha256:', ''), each]),
  );
  for (const name of await readdir(environmentsFolder(store)).catch(() => [])) {
    if (!named.has(name)) await drop(join(environmentsFolder(store), name), `environment ${name.slice(0, 12)}`);
  }
  if (isAll) await rm(join(store.root, 'refs'), { recursive: true, force: true });
  for (const name of await readdir(blobsFolder(store)).catch(() => [])) {
    await drop(join(blobsFolder(store), name), `layer ${name.slice(0, 12)}`);
  }
  return { freed_bytes: freed, removed };
}

/** Disk space of a file or folder, `bytes`; holes count nothing. */
export async function sizeOf(path: string): Promise<number> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return 0;
  if (!status.isDirectory()) return status.blocks * 512;
  let sum = 0;
  for (const name of await readdir(path)) sum += await sizeOf(join(path, name));
  return sum;
}
