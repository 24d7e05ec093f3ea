// Pulling one image: manifest, layers, merged root, record.
import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
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
import { addEnvironment, type Environment, type Store } from './store.ts';

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptorSchema = z.object({
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  mediaType: z.string().optional(),
});
const indexSchema = z.object({
  manifests: z
    .array(descriptorSchema.extend({ platform: z.object({ os: z.string(), architecture: z.string() }).optional() }))
    .max(1000),
});
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema).max(500) });
const configSchema = z.object({
  architecture: z.string().optional(),
  os: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digestSchema) }),
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
const parallelLayers = 3;

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
  const configPath = await fetchBlob(store, registry, manifest.config, signal, () => undefined);
  const config = parse(configSchema, await readFile(configPath), 'configuration');
  if ((config.architecture ?? 'amd64') !== 'amd64' || (config.os ?? 'linux') !== 'linux')
    throw unsupported(reference, `${config.os}/${config.architecture}`);
  const layers = await fetchLayers(pull, registry, manifest.layers);
  pull.onProgress({ phase: 'image', message: `merging ${layers.length} layers` });
  const folder = join(store.root, 'environments');
  await makeFolder(folder);
  const image = temporaryName(join(folder, 'pull.squashfs'));
  try {
    await squashLayers(layers, config.rootfs.diff_ids, image, signal);
    return await addEnvironment(
      store,
      {
        version: 1,
        name: pull.name,
        reference: reference.canonical,
        source: 'registry',
        digest,
        image_bytes: (await stat(image)).size,
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
      },
      image,
    );
  } finally {
    await rm(image, { force: true });
  }
}

async function fetchManifest(registry: Registry, reference: ImageReference) {
  const first = await registry.manifest(reference.digest ?? reference.tag ?? 'latest', accept, longestManifest);
  checkDigest(first.bytes, reference.digest);
  const index = indexSchema.safeParse(parseJson(first.bytes));
  if (!index.success)
    return { manifest: parse(manifestSchema, first.bytes, 'manifest'), digest: digestOf(first.bytes) };
  const fitting = index.data.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64',
  );
  if (fitting === undefined) throw unsupported(reference, 'other platforms only');
  const second = await registry.manifest(fitting.digest, accept, longestManifest);
  checkDigest(second.bytes, fitting.digest);
  return { manifest: parse(manifestSchema, second.bytes, 'manifest'), digest: fitting.digest };
}

async function fetchLayers(pull: ImagePull, registry: Registry, layers: readonly BlobPlan[]): Promise<string[]> {
  const totalBytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  let doneBytes = 0;
  const onBytes = (count: number): void => {
    doneBytes += count;
    pull.onProgress({ phase: 'download', message: `downloading ${layers.length} layers`, doneBytes, totalBytes });
  };
  const paths: string[] = [];
  const queue = [...layers.entries()];
  const failed = new AbortController();
  const signal = AbortSignal.any([pull.signal, failed.signal]);
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      paths[next[0]] = await fetchBlob(pull.store, registry, next[1], signal, onBytes);
    }
  };
  const workers = Array.from({ length: parallelLayers }, () =>
    work().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return paths;
}

function checkDigest(bytes: Buffer, expected: string | undefined): void {
  if (expected === undefined || digestOf(bytes) === expected) return;
  throw new PyroError('digest_mismatch', `the registry sent another manifest than ${expected}`, {
    hint: 'check the digest; nothing was used',
  });
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  throw new PyroError('image_invalid', `the image's ${what} does not parse`, { cause: parsed.error });
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
  return new PyroError('image_unsupported', `${reference.canonical} is not for linux/amd64 (${found})`, {
    hint: 'take an image that has a linux/amd64 variant',
  });
}
