// The local cache of environments: immutable images named by digest, and names that point to them.
import { createHash } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { digestOf, type KeptFile, sumsOf } from '../system/content-check.ts';
import { ownFileSize, readJson, temporaryName, writeJson } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { findEntry } from './catalogue.ts';
import { parseReference } from './reference.ts';

export const recordSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  reference: z.string(),
  source: z.enum(['registry', 'packages']),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  image_bytes: z.number().int().positive(),
  /** Absent in records of early versions */
  image_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  image_pieces: z.array(z.string()).readonly().optional(),
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

export function environmentsFolder(store: Store): string {
  return join(store.root, 'environments');
}

export function blobsFolder(store: Store): string {
  return join(store.root, 'blobs', 'sha256');
}

export function locksFolder(store: Store): string {
  return join(store.root, 'locks');
}

export function refsFolder(store: Store): string {
  return join(store.root, 'refs');
}

/** One name for all spellings of an image: `alpine` is docker.io/library/alpine:latest, `debian:12` itself. */
export function canonicalName(name: string): string {
  return findEntry(name) === undefined ? parseReference(name).canonical : name;
}

/** File name of the pointer of a name; a name that does not parse has none. */
function pointerName(name: string): string | undefined {
  try {
    return `${createHash('sha256').update(canonicalName(name)).digest('hex')}.json`;
  } catch {
    return undefined;
  }
}

function damaged(name: string, why: string): PyroError {
  return new PyroError('environment_damaged', `environment ${name} is damaged: ${why}`, {
    hint: `pull it again with: ${hintCall('env.pull', { environment: name })}`,
  });
}

/** The environment of this name, undefined when it is not cached. Throws `environment_damaged`. */
export async function resolveEnvironment(store: Store, name: string): Promise<Environment | undefined> {
  const file = pointerName(name);
  if (file === undefined) return undefined;
  const pointer = await readJson(join(refsFolder(store), file), pointerSchema).catch((cause: unknown) => {
    if (isPyroError(cause, 'state_damaged')) throw damaged(name, 'its name points to nothing');
    throw cause;
  });
  return pointer === undefined ? undefined : await loadEnvironment(store, pointer.digest, name);
}

async function loadEnvironment(store: Store, digest: string, name: string): Promise<Environment> {
  const folder = join(environmentsFolder(store), digest.replace('sha256:', ''));
  const record = await readJson(join(folder, 'environment.json'), recordSchema).catch((cause: unknown) => {
    if (isPyroError(cause, 'state_damaged')) throw damaged(name, 'its record does not parse');
    throw cause;
  });
  if (record === undefined) throw damaged(name, 'its record is missing');
  if (record.digest !== digest) throw damaged(name, `its record is that of ${record.digest}`);
  const imagePath = join(folder, 'root.squashfs');
  const size = await ownFileSize(imagePath);
  if (size !== record.image_bytes) throw damaged(name, `its image has ${size ?? 0} bytes, not ${record.image_bytes}`);
  return { record: { ...record, name }, digest, imagePath };
}

/** Points a name to an image that is cached whole already; undefined when it is not. */
export async function adoptEnvironment(store: Store, name: string, digest: string): Promise<Environment | undefined> {
  const environment = await loadEnvironment(store, digest, name).catch((error: unknown) => {
    if (isPyroError(error, 'environment_damaged')) return undefined;
    throw error;
  });
  if (environment !== undefined) await pointTo(store, name, digest);
  return environment;
}

/** Reads the whole image and compares it with its record. Throws `environment_damaged`, `environment_not_installed`. */
export async function verifyEnvironment(store: Store, name: string): Promise<Environment> {
  const environment = await resolveEnvironment(store, name);
  if (environment === undefined) {
    throw new PyroError('environment_not_installed', `${name} is not in the local cache`, {
      hint: `pull it with: ${hintCall('env.pull', { environment: name })}`,
    });
  }
  const expected = environment.record.image_sha256;
  if (expected !== undefined && (await hashOf(environment)) !== expected)
    throw damaged(name, 'its image is not the one that was made');
  return environment;
}

/** The file of an image with the digest that it was made with; nothing where that, or the image, is not there. */
export async function environmentFile(store: Store, digest: string): Promise<KeptFile[]> {
  const environment = await loadEnvironment(store, digest, digest).catch((error: unknown) => {
    if (isPyroError(error, 'environment_damaged')) return undefined;
    throw error;
  });
  if (environment?.record.image_sha256 === undefined) return [];
  const { image_bytes: bytes, image_sha256: sha256, image_pieces: pieces } = environment.record;
  return [{ path: environment.imagePath, bytes, sha256, pieces }];
}

/** Takes an image away, with the names that point to it, which are given: guests that have it open keep it. */
export async function dropEnvironment(store: Store, digest: string): Promise<string[]> {
  const pointers = (await readPointers(store)).filter((pointer) => pointer.digest === digest);
  for (const { file } of pointers) await rm(file, { force: true });
  await rm(join(environmentsFolder(store), digest.replace('sha256:', '')), { recursive: true, force: true });
  return pointers.map(({ name }) => name);
}

type NewRecord = Omit<EnvironmentRecord, 'digest' | 'image_bytes' | 'image_sha256' | 'image_pieces'>;

/**
 * Takes over a finished image under its digest, by default that of its bytes, and points the name to it.
 * The folder appears whole: image and record together.
 */
export async function addEnvironment(
  store: Store,
  fields: NewRecord,
  imageFile: string,
  manifestDigest?: string,
): Promise<Environment> {
  const handle = await open(imageFile, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  const { size } = await stat(imageFile);
  const { bytes, sha256, pieces } = await sumsOf({ path: imageFile, bytes: size });
  const digest = manifestDigest ?? `sha256:${sha256}`;
  const record = { ...fields, digest, image_bytes: bytes, image_sha256: sha256, image_pieces: pieces };
  const folder = join(environmentsFolder(store), digest.replace('sha256:', ''));
  const draft = temporaryName(folder);
  try {
    await makeFolder(draft);
    await rename(imageFile, join(draft, 'root.squashfs'));
    await writeJson(join(draft, 'environment.json'), record);
    // What is there is damaged, or it would have been adopted; guests that have it open keep it.
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await pointTo(store, record.name, digest);
  return { record, digest, imagePath: join(folder, 'root.squashfs') };
}

async function pointTo(store: Store, name: string, digest: string): Promise<void> {
  await writeJson(join(refsFolder(store), pointerName(name) ?? ''), { name: canonicalName(name), digest });
}

/** Names and what they point to. Files that are no pointer of ours are left out. */
export async function readPointers(store: Store): Promise<{ name: string; digest: string; file: string }[]> {
  const found: { name: string; digest: string; file: string }[] = [];
  for (const file of await readdir(refsFolder(store)).catch(() => [])) {
    const path = join(refsFolder(store), file);
    const pointer = await readJson(path, pointerSchema).catch(() => undefined);
    if (pointer !== undefined && pointerName(pointer.name) === file) found.push({ ...pointer, file: path });
  }
  return found;
}

/** All cached environments by name; damaged ones are left to {@link resolveEnvironment} to report. */
export async function listEnvironments(store: Store): Promise<Environment[]> {
  const found: Environment[] = [];
  for (const { name, digest } of await readPointers(store)) {
    const environment = await loadEnvironment(store, digest, name).catch(() => undefined);
    if (environment !== undefined) found.push(environment);
  }
  return found.sort((a, b) => a.record.name.localeCompare(b.record.name));
}

async function hashOf({ imagePath: path }: Environment): Promise<string> {
  return await digestOf({ path, bytes: (await stat(path)).size });
}
