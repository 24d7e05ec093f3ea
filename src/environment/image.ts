// Pulling one image: manifest, layers, merged root, record.
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import type { OnProgress } from '../shared/progress.ts';
import { temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { type BlobPlan, fetchBlob } from './blobs.ts';
import type { ImageReference } from './reference.ts';
import { Registry } from './registry.ts';
import { squashLayers } from './squash.ts';
import { addEnvironment, adoptEnvironment, type Environment, environmentsFolder, type Store } from './store.ts';

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptorSchema = z.object({
  digest: digestSchema,
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  mediaType: z.string().max(255).optional(),
});
const platformSchema = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const indexSchema = z.object({
  manifests: z.array(descriptorSchema.extend({ platform: platformSchema.optional() })).max(1000),
});
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema).max(500) });
const oldSchema = z.object({ schemaVersion: z.literal(1) });
const configSchema = z.object({
  architecture: z.string().optional(),
  os: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digestSchema).max(500) }),
  config: z
    .object({
      Env: z.array(z.string()).nullish(),
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
    })
    .nullish(),
});

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const longestManifest = 4 * 1024 * 1024;
const longestConfig = 8 * 1024 * 1024;
const parallelLayers = 3;
/** What an image's configuration calls itself; charts, signatures and other artifacts do not. */
const configTypes = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/octet-stream',
]);

export interface ImagePull {
  readonly store: Store;
  readonly name: string;
  readonly reference: ImageReference;
  /** What is cached under the name now */
  readonly known: Environment | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** Gets the image behind a reference; the known environment itself when nothing has changed. */
export async function pullImage(pull: ImagePull): Promise<Environment> {
  const { store, reference, signal } = pull;
  const registry = new Registry(reference, signal);
  pull.onProgress({ phase: 'manifest', message: `asking ${reference.registry} for ${reference.canonical}` });
  const { manifest, digest } = await fetchManifest(registry, reference);
  if (pull.known?.digest === digest) return pull.known;
  const cached = await adoptEnvironment(store, pull.name, digest);
  if (cached !== undefined) return cached;
  if (!configTypes.has(manifest.config.mediaType ?? 'application/octet-stream')) {
    throw new PyroError('image_unsupported', `${reference.canonical} is no image but ${manifest.config.mediaType}`, {
      hint: 'pull a reference of a container image; pyro env list shows the catalogue',
    });
  }
  const configBytes = await registry.document(manifest.config.digest, longestConfig);
  checkDigest(configBytes, manifest.config.digest, 'configuration');
  const config = parse(configSchema, configBytes, 'configuration');
  if ((config.architecture ?? 'amd64') !== 'amd64' || (config.os ?? 'linux') !== 'linux')
    throw unsupported(reference, `${config.os ?? 'linux'}/${config.architecture ?? 'amd64'}`);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new PyroError(
      'image_invalid',
      `the image has ${manifest.layers.length} layers but ${diffIds.length} diff_ids`,
      {
        hint: 'the image is damaged; pull another tag or ask who made it',
      },
    );
  }
  const layers = await fetchLayers(pull, registry, manifest.layers);
  await makeFolder(environmentsFolder(store));
  const image = temporaryName(join(environmentsFolder(store), 'pull.squashfs'));
  try {
    const onLayer = (number: number): void =>
      pull.onProgress({ phase: 'image', message: `merging layer ${number} of ${layers.length}` });
    await squashLayers({ layers, diffIds, image, signal, onLayer });
    const fields = {
      version: 1 as const,
      name: pull.name,
      reference: reference.canonical,
      source: 'registry' as const,
      created_at: new Date().toISOString(),
      config: {
        env: config.config?.Env ?? [],
        working_dir: config.config?.WorkingDir ?? '',
        user: config.config?.User ?? '',
        entrypoint: config.config?.Entrypoint ?? [],
        cmd: config.config?.Cmd ?? [],
      },
      layers: layers.length,
      packages: [],
    };
    return await addEnvironment(store, fields, image, digest);
  } finally {
    await rm(image, { force: true });
  }
}

async function fetchManifest(registry: Registry, reference: ImageReference) {
  const first = await registry.manifest(reference.digest ?? reference.tag ?? 'latest', accept, longestManifest);
  checkDigest(first, reference.digest, 'manifest');
  const index = indexSchema.safeParse(parseJson(first));
  if (!index.success) return { manifest: parseManifest(first, reference), digest: digestOf(first) };
  const fitting = index.data.manifests
    .filter(({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64')
    // A variant such as v3 asks for more than every processor has.
    .sort((a, b) => Number(a.platform?.variant !== undefined) - Number(b.platform?.variant !== undefined))[0];
  if (fitting === undefined) {
    const offered = index.data.manifests.map(
      ({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`,
    );
    throw unsupported(reference, [...new Set(offered)].slice(0, 8).join(', '));
  }
  const second = await registry.manifest(fitting.digest, accept, longestManifest);
  checkDigest(second, fitting.digest, 'manifest');
  return { manifest: parseManifest(second, reference), digest: fitting.digest };
}

function parseManifest(bytes: Buffer, reference: ImageReference): z.infer<typeof manifestSchema> {
  if (oldSchema.safeParse(parseJson(bytes)).success) {
    throw new PyroError('image_unsupported', `${reference.canonical} has a manifest of the retired schema 1`, {
      hint: 'push the image again with a current tool, or pull a newer tag',
    });
  }
  return parse(manifestSchema, bytes, 'manifest');
}

async function fetchLayers(pull: ImagePull, registry: Registry, layers: readonly BlobPlan[]): Promise<string[]> {
  const totalBytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  const done = layers.map(() => 0);
  const paths = layers.map(() => '');
  const queue = [...layers.entries()];
  const failed = new AbortController();
  const signal = AbortSignal.any([pull.signal, failed.signal]);
  const message = `downloading ${layers.length} layers`;
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, plan] = next;
      const onDone = (bytes: number): void => {
        done[index] = bytes;
        const doneBytes = done.reduce((sum, each) => sum + each, 0);
        pull.onProgress({ phase: 'download', message, doneBytes, totalBytes });
      };
      paths[index] = await fetchBlob({ store: pull.store, registry, plan, signal, onDone });
    }
  };
  const failures: unknown[] = [];
  const workers = Array.from({ length: parallelLayers }, async () => {
    await work().catch((error: unknown) => {
      failures.push(error);
      failed.abort(error);
    });
  });
  await Promise.all(workers);
  if (failures.length > 0) throw failures[0];
  return paths;
}

function checkDigest(bytes: Buffer, expected: string | undefined, what: string): void {
  if (expected === undefined || digestOf(bytes) === expected) return;
  throw new PyroError('digest_mismatch', `the registry sent another ${what} than ${expected}`, {
    hint: 'check the digest, nothing was used; pull the tag without its digest to see what it names now',
  });
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  throw new PyroError('image_invalid', `the image's ${what} does not parse`, {
    hint: 'the reference may not name an image; check it, or pull another one',
    cause: parsed.error,
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // The schema reports it.
    return undefined;
  }
}

function unsupported(reference: ImageReference, found: string): PyroError {
  return new PyroError('image_unsupported', `${reference.canonical} is not for linux/amd64, only for: ${found}`, {
    hint: 'take an image that has a linux/amd64 variant',
  });
}
