// Where the files of a new workspace come from: the call's own path, else the project of the server.

import type { WorkspaceCall } from '../../contract/call.ts';
import type { SeedView } from '../../contract/workspaces.ts';
import { prepareProjectImage } from '../../project/project-image.ts';
import { openProjectStore } from '../../project/project-store.ts';
import { SecretSet } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { exists } from '../../system/files.ts';
import type { Paths } from '../../system/paths.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { seedJob } from '../guests/seed-job.ts';
import type { JobRunner } from '../jobs/job.ts';
import { emptySeed } from './list.ts';

const rememberedSeeds = 100;
/** A project of the host is read and packed within this time, `ms` */
const longestSeedMs = 3_600_000;

export interface PreparedSeed {
  readonly view: SeedView;
  /** Image of the project; absent for an empty workspace */
  readonly image: string | undefined;
}

/** Image for a guest that is thrown away. */
export async function prepareRunSeed(
  paths: Paths,
  path: string | undefined,
  context: CallContext,
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return (await prepareProjectImage(openProjectStore(paths.cache), { path, includes: [] }, context)).path;
}

export interface Seeding {
  /** The image that this call will most likely get, to be checked against the real one */
  readonly guess: string | undefined;
  /** The image as the project stands now */
  readonly prepare: () => Promise<PreparedSeed>;
}

/** Images by request: the next call with the same request usually gets the same one. */
export class SeedMemory {
  readonly #images = new Map<string, string>();

  /** The project of one create: guessed first, looked through when there is time for it. */
  async begin(paths: Paths, jobs: JobRunner, path: string | undefined, call: WorkspaceCall): Promise<Seeding> {
    const key = memoryKey(path, call);
    const guess = this.#images.get(key);
    return {
      guess: guess !== undefined && (await exists(guess)) ? guess : undefined,
      prepare: async () => {
        const seed = await prepareSeed(paths, jobs, path, call);
        if (seed.image !== undefined) this.#note(key, seed.image);
        return seed;
      },
    };
  }

  #note(key: string, image: string): void {
    this.#images.delete(key);
    this.#images.set(key, image);
    const [oldest] = this.#images.keys();
    if (this.#images.size > rememberedSeeds && oldest !== undefined) this.#images.delete(oldest);
  }
}

function memoryKey(path: string | undefined, { project }: WorkspaceCall): string {
  return JSON.stringify(path === undefined ? [project?.path, project?.includes] : [path]);
}

async function prepareSeed(
  { cache }: Paths,
  jobs: JobRunner,
  path: string | undefined,
  call: WorkspaceCall,
): Promise<PreparedSeed> {
  if (path === undefined && call.project === undefined) return { view: emptySeed, image: undefined };
  const from = path ?? call.project?.path ?? '';
  // A project of the server was chosen by the person who runs it.
  const real = path === undefined ? from : await permitHostPath(from, call.hostPaths);
  const request = { path: real, includes: path === undefined ? (call.project?.includes ?? []) : [] };
  const { signal, onProgress } = call;
  const place = { owner: real, guests: [], secrets: new SecretSet([]), workFolder: cache, deadlineMs: longestSeedMs };
  const job = { ...place, signal, onProgress };
  const { path: image, summary } = await jobs.run(seedJob, { cache, request }, job);
  const view: SeedView = {
    ...summary,
    destination: '/workspace',
    origin_kind: path === undefined ? (call.project?.originKind ?? 'none') : 'explicit',
    origin_ref: path === undefined ? (call.project?.originRef ?? null) : path,
  };
  return { view, image };
}
