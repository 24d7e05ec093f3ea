// Pulling one image: manifest, layers, merged root, record.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OnProgress } from '../shared/progress.ts';
import { formatCount } from '../shared/units.ts';
import { temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { type BlobPlan, fetchBlob } from './blobs.ts';
import { type ChosenManifest, chooseManifest } from './choose.ts';
import { checkDigest, manifestTypes, parseConfig } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import { Registry } from './registry.ts';
import type { HttpLimits } from './registry-http.ts';
import { squashLayers } from './squash.ts';
import { addEnvironment, adoptEnvironment, type Environment, environmentsFolder, type Store } from './store.ts';

const longestManifest = 4 * 1024 * 1024;
const longestConfig = 8 * 1024 * 1024;
const parallelLayers = 3;

export interface ImagePull {
  readonly store: Store;
  readonly name: string;
  readonly reference: ImageReference;
  /** What is cached under the name now */
  readonly known: Environment | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly limits: HttpLimits;
}

/** Gets the image behind a reference; the known environment itself when nothing has changed. */
export async function pullImage(pull: ImagePull): Promise<Environment> {
  const { store, reference, signal } = pull;
  const registry = new Registry(reference, signal, pull.limits);
  pull.onProgress({ phase: 'manifest', message: `asking ${reference.registry} for ${reference.canonical}` });
  const { manifest, digest } = await fetchManifest(registry, reference);
  if (pull.known?.digest === digest) return pull.known;
  const cached = await adoptEnvironment(store, pull.name, digest);
  if (cached !== undefined) return cached;
  const configBytes = await registry.document(manifest.config.digest, longestConfig);
  checkDigest(configBytes, manifest.config.digest, 'configuration');
  const config = parseConfig(configBytes, manifest, reference.canonical);
  const layers = await fetchLayers(pull, registry, manifest.layers);
  await makeFolder(environmentsFolder(store));
  const image = temporaryName(join(environmentsFolder(store), 'pull.squashfs'));
  try {
    const onLayer = (number: number): void =>
      pull.onProgress({ phase: 'image', message: `reading layer ${number} of ${layers.length}` });
    const onPacked = (doneBytes: number, totalBytes: number): void =>
      pull.onProgress({ phase: 'image', message: 'packing the image', doneBytes, totalBytes });
    await squashLayers({
      layers,
      diffIds: config.rootfs?.diff_ids?.length ? config.rootfs.diff_ids : undefined,
      image,
      signal,
      onLayer,
      onPacked,
    });
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

async function fetchManifest(registry: Registry, reference: ImageReference): Promise<ChosenManifest> {
  const manifest = async (name: string): Promise<Buffer> =>
    await registry.manifest(name, manifestTypes, longestManifest);
  const first = await manifest(reference.digest ?? reference.tag ?? 'latest');
  checkDigest(first, reference.digest, 'manifest');
  const config = async (digest: string): Promise<Buffer> => await registry.document(digest, longestConfig);
  return await chooseManifest(first, reference.canonical, { manifest, config });
}

async function fetchLayers(pull: ImagePull, registry: Registry, layers: readonly BlobPlan[]): Promise<string[]> {
  const totalBytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  const done = layers.map(() => 0);
  const paths = layers.map(() => '');
  const queue = [...layers.entries()];
  const failed = new AbortController();
  const signal = AbortSignal.any([pull.signal, failed.signal]);
  const message = `downloading ${formatCount(layers.length, 'layer')}`;
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
