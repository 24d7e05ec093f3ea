// All workspaces of this user in the one process that owns them: found on disk, taken over, and ended when idle.
import { createHash } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WorkspaceRecord, workspaceIdSchema } from '../../contract/records.ts';
import { templateDiskMib } from '../../machine/disks.ts';
import { howItWent, removeSockets } from '../../machine/left-guests.ts';
import type { Machine, OpenMachine } from '../../machine/machine.ts';
import { sweepGuests } from '../../machine/orphans.ts';
import { sweepOwnedFolders } from '../../machine/owned-folders.ts';
import { openQemuMachine } from '../../machine/qemu-machine.ts';
import { SecretSet } from '../../secrets/secret-set.ts';
import { SecretStore } from '../../secrets/secret-store.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError, messageOf, PyroError } from '../../shared/errors.ts';
import { ExclusiveNames } from '../../shared/exclusive-names.ts';
import { followSignals } from '../../shared/following-signal.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { noProgress } from '../../shared/progress.ts';
import { KeptWork } from '../../shared/shared-work.ts';
import { sweepDrafts } from '../../system/drafts.ts';
import { ensurePrivateFolder, type Paths } from '../../system/paths.ts';
import { Reserve } from '../../system/reserve.ts';
import { sweepTemporaries } from '../../system/sweep.ts';
import { sweepTemporaryFolders } from '../../system/temporary-folders.ts';
import { ContentWatch } from '../guests/content-watch.ts';
import { GuestMemory } from '../guests/memory-limit.ts';
import { sweepCache } from '../guests/sweep-cache.ts';
import { type JobRunner, jobsHere } from '../jobs/job.ts';
import { auditFolder, sweepAudits } from '../output/audit.ts';
import type { SharedResources } from './shared-resources.ts';
import { Workspace } from './workspace.ts';
import { readRecord, type WorkspaceFiles, workspaceFiles } from './workspace-record.ts';

const reapMs = 5000;
/** Each so many of these turns a silent guest without a session is asked again, which holds its calls up for seconds */
const listenTurns = 6;
/** A guest that answers is taken over within this time; for one that hangs nobody else waits, `ms` */
const adoptionMs = 2000;
/** What comes right after a create, such as its first command, is not slowed by work for later ones, `ms` */
const quietMs = 2000;
const deletedMark = '.deleted';

/** Keeps homes of one user apart where they share a folder in memory. */
function scopeOf(stateFolder: string): string {
  return createHash('sha256').update(stateFolder).digest('hex').slice(0, 12);
}

function unknown(id: string): PyroError {
  return new PyroError('workspace_unknown', `there is no workspace ${id.slice(0, 64)}`, {
    hint: `list them with: ${hintCall('workspace.list')}`,
  });
}

export class WorkspaceRegistry implements AsyncDisposable {
  readonly paths: Paths;
  readonly resources: SharedResources;
  readonly #folder: string;
  readonly #memory: GuestMemory;
  readonly #workspaces = new Map<string, Workspace>();
  readonly #damaged = new Map<string, string>();
  readonly #removing = new ExclusiveNames();
  readonly #closing = new AbortController();
  /** For work that no call waits for */
  readonly #own: CallContext = { signal: this.#closing.signal, onProgress: noProgress };
  /** Work that nobody waits for but the end: it leaves nothing when it is let finish */
  readonly #background = new Set<Promise<void>>();
  readonly #machine = new KeptWork<Machine>();
  readonly #secretStore = new KeptWork<SecretStore>();
  readonly #contents: ContentWatch;
  /** Gets an environment anew that had to be taken away */
  renewEnvironment: (name: string) => void = () => undefined;
  #reaper: NodeJS.Timeout | undefined;
  #turns = 0;

  private constructor(paths: Paths, memory: GuestMemory, openMachine: OpenMachine, jobs: JobRunner) {
    this.paths = paths;
    this.#memory = memory;
    this.#contents = new ContentWatch({
      paths,
      signal: this.#closing.signal,
      tell: async (ids, note) => {
        for (const id of ids) await this.#workspaces.get(id)?.update({ note });
      },
      renew: (name) => this.renewEnvironment(name),
    });
    this.resources = this.#share(openMachine, jobs);
    this.#folder = join(paths.state, 'workspaces');
  }

  /** Loads every workspace, takes over guests that run, and ends guests that belong to none. */
  static async open(
    paths: Paths,
    memory = new GuestMemory(),
    openMachine: OpenMachine = openQemuMachine,
    jobs: JobRunner = jobsHere,
  ): Promise<WorkspaceRegistry> {
    const registry = new WorkspaceRegistry(paths, memory, openMachine, jobs);
    await ensurePrivateFolder(paths.state);
    await ensurePrivateFolder(registry.#folder);
    await sweepTemporaries(paths.state, { isDeep: false });
    for (const name of await readdir(registry.#folder)) await registry.#load(name);
    const noted = [...registry.#workspaces.values()].flatMap(({ record }) => record.guest ?? []);
    await sweepAudits(auditFolder(paths.state), (id) => registry.#workspaces.has(id) || registry.#damaged.has(id));
    await sweepOwnedFolders(paths.runtime);
    void registry.#inBackground(sweepTemporaryFolders());
    void registry.#inBackground(sweepCache(paths, registry.#closing.signal));
    await sweepGuests(paths.runtime, new Set(noted.map(({ folder }) => folder)));
    const context = registry.#own;
    const adoptions = [...registry.#workspaces.values()].map((workspace) => workspace.takeOver(context));
    const adopted = Promise.all(adoptions.map((each) => registry.#inBackground(each)));
    await Promise.race([adopted, sleep(adoptionMs, undefined, { ref: false })]);
    void registry.#inBackground(registry.resources.reserve.keep());
    registry.#reaper = setInterval(() => void registry.#reap(), reapMs);
    registry.#reaper.unref();
    return registry;
  }

  #share(openMachine: OpenMachine, jobs: JobRunner): SharedResources {
    return {
      memory: this.#memory,
      reserve: new Reserve(this.paths.state),
      jobs,
      // A failure is not kept: the person may have mended the machine when the next call comes.
      machine: (context) =>
        this.#machine.join(context.signal, (signal) => openMachine(this.paths, { ...context, signal })),
      secretStore: () =>
        this.#secretStore.join(undefined, () => SecretStore.open(this.paths.runtime, scopeOf(this.paths.state))),
      removeSockets: (guest) => removeSockets(this.paths.runtime, guest),
      howItWent: (guest) => howItWent(this.paths.runtime, guest),
      checkLater: ({ record }, { started, projectImage }) => {
        const contents = this.#contents.contentsOf(started.used, record.environment_digest, projectImage);
        const { signal } = this.#own;
        const work = sleep(quietMs, undefined, { signal, ref: false }).then(() =>
          this.#contents.use(record.id, contents),
        );
        void this.#inBackground(work);
      },
      prepareNextCreate: (project) => {
        if (this.#closing.signal.aborted) return;
        const { signal } = this.#own;
        const work = sleep(quietMs, undefined, { signal, ref: false }).then(() =>
          this.#whileMemoryIsFree(project.size.memoryMib, async (context) => {
            const machine = await this.resources.machine(context);
            await machine.prepareProject(project, context);
          }),
        );
        void this.#inBackground(work);
      },
      prepareNextStart: ({ record, files }) => {
        if (record.disk_mib > templateDiskMib || this.#closing.signal.aborted) return;
        const environment = { name: record.environment, digest: record.environment_digest, imagePath: files.rootImage };
        const size = { vcpuCount: record.vcpu_count, memoryMib: record.mem_mib };
        const work = this.#whileMemoryIsFree(record.mem_mib, async (context) => {
          const machine = await this.resources.machine(context);
          await machine.ensureTemplate(environment, size, context, 'bare');
        });
        // Without the template the start boots: slower, and its own failure says why.
        void this.#inBackground(work);
      },
    };
  }

  /** Work with a guest of its own that nobody waits for: it is given up when its memory is needed. */
  async #whileMemoryIsFree(memMib: number, work: (context: CallContext) => Promise<void>): Promise<void> {
    const giving = new AbortController();
    using loan = this.#memory.lend(memMib, () => giving.abort(new PyroError('cancelled', 'its memory is needed')));
    if (loan === undefined) return;
    using following = followSignals(this.#closing.signal, giving.signal);
    await work({ ...this.#own, signal: following.signal });
  }

  /**
   * Settles with the work. A failure is met again, and told, by the call that needs what it was for; what only makes
   * later calls quicker is tried again with the next one.
   */
  async #inBackground(work: Promise<unknown>): Promise<void> {
    const settled = Promise.allSettled([work]).then(() => undefined);
    this.#background.add(settled);
    await settled;
    this.#background.delete(settled);
  }

  all(): Workspace[] {
    return [...this.#workspaces.values()];
  }

  /** Ids of the workspaces whose record cannot be read, with the reason. */
  damaged(): ReadonlyMap<string, string> {
    return this.#damaged;
  }

  filesOf(id: string): WorkspaceFiles {
    return workspaceFiles(join(this.#folder, id));
  }

  /** Throws `workspace_unknown` or `workspace_damaged`. */
  get(id: string): Workspace {
    const workspace = this.#workspaces.get(id);
    if (workspace !== undefined) return workspace;
    const why = this.#damaged.get(id);
    if (why !== undefined) {
      throw new PyroError('workspace_damaged', `the record of workspace ${id} cannot be read: ${why}`, {
        hint: `delete it with: ${hintCall('workspace.delete', { workspace_id: id })}`,
      });
    }
    throw unknown(id);
  }

  add(workspace: Workspace): void {
    this.#workspaces.set(workspace.record.id, workspace);
  }

  /** Ends the guest and removes everything; where that fails, the workspace is still there to be deleted. */
  async remove(id: string): Promise<void> {
    const workspace = this.#damaged.has(id) ? undefined : this.get(id);
    using place = this.#removing.take(id);
    if (place === undefined) throw unknown(id);
    await workspace?.endForGood();
    if ((workspace?.record.secrets.length ?? 0) > 0) await (await this.resources.secretStore()).remove(id);
    const { folder } = this.filesOf(id);
    try {
      // The rename makes the end whole, however long the removal takes.
      await rename(folder, folder + deletedMark);
    } catch (error) {
      if (workspace !== undefined) await this.#bringBack(workspace);
      throw error;
    }
    this.#workspaces.delete(id);
    this.#damaged.delete(id);
    await rm(folder + deletedMark, { recursive: true, force: true });
  }

  /** One that could not be removed is there as before, only that its guest has ended. */
  async #bringBack({ files, record, secrets }: Workspace): Promise<void> {
    if (record.secrets.length > 0) await (await this.resources.secretStore()).save(record.id, secrets);
    const stopped = { ...record, state: 'stopped', stop_reason: 'host', guest: null } as const;
    this.add(await Workspace.open(this.resources, files, stopped, secrets));
  }

  /** Ends nothing: guests run on for the next owner. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#reaper);
    this.#closing.abort(new PyroError('cancelled', 'the daemon ends'));
    await this.resources.jobs[Symbol.asyncDispose]();
    await Promise.all([...this.#background, ...this.all().map((workspace) => workspace.detach())]);
  }

  async #load(name: string): Promise<void> {
    const files = workspaceFiles(join(this.#folder, name));
    if (name.endsWith(deletedMark) || !workspaceIdSchema.safeParse(name).success) {
      if (name.endsWith(deletedMark)) await rm(files.folder, { recursive: true, force: true });
      return;
    }
    try {
      // Diffs that were kept, and what a comparison had not thrown away yet, belonged to the daemon before.
      await rm(files.scratch, { recursive: true, force: true });
      await sweepTemporaries(files.folder, { isDeep: true });
      await sweepDrafts(files.drafts);
      const record = await readRecord(files);
      // Without a record it was never finished: nobody was told of it.
      if (record === undefined) await rm(files.folder, { recursive: true, force: true });
      else if (record.id !== name) throw new PyroError('state_damaged', 'the record names another workspace');
      else this.add(await Workspace.open(this.resources, files, record, await this.#secretsOf(record)));
    } catch (error) {
      this.#damaged.set(name, messageOf(error));
    }
  }

  /** A reboot takes secrets away; what needs one then says so. */
  async #secretsOf({ id, secrets }: WorkspaceRecord): Promise<SecretSet> {
    const kept = secrets.length === 0 ? undefined : await (await this.resources.secretStore()).load(id);
    return (
      kept ??
      new SecretSet(
        [],
        secrets.map(({ name }) => name),
      )
    );
  }

  async #reap(): Promise<void> {
    const context = this.#own;
    void this.#inBackground(this.resources.reserve.keep());
    const isTurn = this.#turns++ % listenTurns === 0;
    for (const workspace of this.all()) {
      if (workspace.guest === undefined && (workspace.trouble?.state === 'paused' || isTurn))
        void this.#inBackground(workspace.listenAgain(context));
      const { ttl_seconds: ttl, state } = workspace.record;
      if (state !== 'started' || ttl === 0 || workspace.idleSeconds < ttl) continue;
      // What it holds cannot be written now, and would be lost with it.
      if (workspace.trouble?.state === 'paused') continue;
      try {
        await workspace.stop('idle', context);
      } catch (error) {
        // It is tried again at the next turn; a daemon that ends is no failure.
        if (!isPyroError(error)) throw error;
      }
    }
  }
}
