// Looks through what guests were started from, once after a start and behind their work: what has gone bad is taken away, and who runs on it is told.
import { basename, join } from 'node:path';
import { z } from 'zod';
import { dropEnvironment, environmentFile, openStore } from '../../environment/store.ts';
import type { UsedContent } from '../../machine/machine.ts';
import { dropProjectImage, openProjectStore, projectFile } from '../../project/project-store.ts';
import { Mutex } from '../../shared/mutex.ts';
import { ContentChecks } from '../../system/content-check.ts';
import { readJson, writeJson } from '../../system/files.ts';
import type { Paths } from '../../system/paths.ts';

const forWorkspaces = 'bring home what is worth keeping, and create another workspace';
const mostFindings = 20;
/** A guest may have been restored from what another process finds bad before its own look begins, `s` */
const restoredWithin = 60;
const findingsSchema = z.array(
  z.object({
    /** `s` since 1970 */
    at: z.number(),
    label: z.string(),
    /** False where a person has to make it anew */
    was_dropped: z.boolean(),
  }),
);
type Finding = z.infer<typeof findingsSchema>[number];

function findingsFile({ state }: Paths): string {
  return join(state, 'damaged.json');
}

/** What was found damaged, the newest last. */
export async function readFindings(paths: Paths): Promise<readonly Finding[]> {
  return (await readJson(findingsFile(paths), findingsSchema).catch(() => undefined)) ?? [];
}

export interface ContentWatchParts {
  readonly paths: Paths;
  /** What those can do who run on it; by default whoever has a workspace */
  readonly wayOn?: string;
  readonly signal: AbortSignal;
  /** Tells those who run on it */
  readonly tell: (ids: ReadonlySet<string>, note: string) => Promise<void>;
  /** Gets an environment anew, behind everybody's back; where it is absent the next use does */
  readonly renew?: (name: string) => void;
  /** `bytes` in a second */
  readonly rate?: number | undefined;
}

export class ContentWatch {
  readonly #parts: ContentWatchParts;
  readonly #checks: ContentChecks;
  readonly #writing = new Mutex();
  /** Workspaces, or runs, by what they were started from */
  readonly #users = new Map<string, Set<string>>();
  readonly #waiting = new Set<string>();

  constructor(parts: ContentWatchParts) {
    this.#parts = parts;
    this.#checks = new ContentChecks(join(parts.paths.cache, 'checked.json'), parts.signal, parts.rate);
  }

  /** Settles when all of it has been looked through; a look that fails keeps no other from being made, and is made again at the next use. */
  async use(workspaceId: string, contents: readonly UsedContent[]): Promise<void> {
    const since = Date.now() / 1000 - restoredWithin;
    const failures: unknown[] = [];
    for (const content of contents) {
      const { label } = content;
      this.#users.set(label, (this.#users.get(label) ?? new Set()).add(workspaceId));
      if (this.#waiting.has(label)) continue;
      this.#waiting.add(label);
      try {
        const state = await this.#checks.check(content);
        if (state === 'changed') await this.#found(content);
        else if (state === 'gone' && (await this.#hasOtherFound(label, since))) await this.#tellUsers(label);
      } catch (error) {
        failures.push(error);
        if (this.#parts.signal.aborted) break;
      } finally {
        this.#waiting.delete(label);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Those who run on it hear of it first: the disk may let it neither be written down nor be taken away. */
  async #found({ label, drop }: UsedContent): Promise<void> {
    const at = Date.now() / 1000;
    const told = await settle(this.#tellUsers(label));
    // Before it goes, so that another process that looks for it reads why it is gone.
    const noted = await settle(this.#note({ at, label, was_dropped: drop !== undefined }));
    const dropped = await settle(drop?.());
    if (dropped !== undefined) await this.#note({ at, label, was_dropped: false });
    const failure = told ?? noted ?? dropped;
    if (failure !== undefined) throw failure;
  }

  async #note(found: Finding): Promise<void> {
    await this.#writing.run(async () => {
      const others = (await readFindings(this.#parts.paths)).filter(
        ({ at, label }) => at !== found.at || label !== found.label,
      );
      await writeJson(findingsFile(this.#parts.paths), [...others, found].slice(-mostFindings));
    });
  }

  /** Two who were started from the same look at once: one takes it away, and the other finds it gone. */
  async #hasOtherFound(wanted: string, since: number): Promise<boolean> {
    return (await readFindings(this.#parts.paths)).some(({ label, at }) => label === wanted && at >= since);
  }

  async #tellUsers(label: string): Promise<void> {
    const { tell, wayOn = forWorkspaces } = this.#parts;
    const users = this.#users.get(label) ?? new Set();
    this.#users.delete(label);
    await tell(
      users,
      `${label}, from which this guest was started, has changed on the disk since it was made: ${wayOn}`,
    );
  }

  /** All that a guest was started from. */
  contentsOf(
    used: readonly UsedContent[] | undefined,
    environmentDigest: string,
    projectImage: string | undefined,
  ): UsedContent[] {
    const project = projectImage === undefined ? [] : [this.project(projectImage)];
    return [...(used ?? []), this.environment(environmentDigest), ...project];
  }

  /** The image of an environment: got anew when it has gone bad. */
  environment(digest: string): UsedContent {
    const { paths, renew } = this.#parts;
    const store = openStore(paths.cache);
    return {
      label: `environment ${digest.slice(0, 19)}`,
      files: async () => await environmentFile(store, digest),
      drop: async () => {
        for (const name of await dropEnvironment(store, digest)) renew?.(name);
      },
    };
  }

  /** The image of a project in the cache: packed anew by the next create when it has gone bad. */
  project(image: string): UsedContent {
    const { paths, rate, signal } = { rate: undefined, ...this.#parts };
    const store = openProjectStore(paths.cache);
    const key = basename(image, '.img');
    return {
      label: `project image ${key.slice(0, 12)}`,
      files: async () => await projectFile(store, key, rate, signal),
      drop: async () => await dropProjectImage(store, key),
    };
  }
}

/** Why it failed; undefined where it did not. */
async function settle(work: Promise<void> | undefined): Promise<Error | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
