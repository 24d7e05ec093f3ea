// The engine in this process: environments, guests and the checks of the machine behind one interface.
import type { RunCall } from '../contract/call.ts';
import type {
  EnvInspectOutput,
  EnvironmentSummary,
  EnvPruneInput,
  EnvPruneOutput,
  EnvPullInput,
  EnvPullOutput,
} from '../contract/environments.ts';
import type { DemoOutput, PrepareOutput } from '../contract/machine.ts';
import type { RunInput, RunOutput } from '../contract/run.ts';
import { type CatalogueEntry, catalogue, findEntry, packagesReference } from '../environment/catalogue.ts';
import { pruneStore } from '../environment/prune.ts';
import { pullEnvironment } from '../environment/pull.ts';
import { parseReference } from '../environment/reference.ts';
import { type Environment, listEnvironments, openStore, resolveEnvironment } from '../environment/store.ts';
import { createHosts } from '../hosts/hosts.ts';
import type { OpenMachine } from '../machine/machine.ts';
import { openQemuMachine } from '../machine/qemu-machine.ts';
import { openProjectStore, pruneProjectImages } from '../project/project-store.ts';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { assertRoom } from '../system/disk-room.ts';
import { ensurePrivateFolder, locatePaths } from '../system/paths.ts';
import { readSettings, settingsPath, writeSettings } from '../system/settings-file.ts';
import { ensureEnvironment } from './guests/ensure-environment.ts';
import { passing, sharedMemory } from './guests/memory-limit.ts';
import { pruneTemplates } from './guests/templates-prune.ts';
import { sweepRuns } from './guests/throw-away.ts';
import { runDemo } from './host/demo.ts';
import { examine } from './host/doctor.ts';
import { runOnHost } from './host/host-compat.ts';
import { prepare } from './host/prepare.ts';
import { runInGuest } from './host/run.ts';
import { measureStorage } from './host/storage.ts';

/** How long images of projects stay after their last use, `ms` */
const projectGraceMs = 7 * 24 * 3600 * 1000;
/** Of the guests that demo and prepare start, one after the other, and of a run that asks for nothing else, `MiB` */
const usualMib = 1024;

export type FindEnvironment = (name: string, context: CallContext) => Promise<Environment>;

/**
 * `findEnvironment` waits for one that is not cached; unless given it pulls, however long that takes. `memory` is what
 * guests of this process share with those of others.
 */
export function createLocalEngine(
  paths = locatePaths(),
  findEnvironment: FindEnvironment = (name, context) => ensureEnvironment(paths, name, context),
  memory = sharedMemory(paths),
  openMachine: OpenMachine = openQemuMachine,
) {
  const store = openStore(paths.cache);
  // A small machine has room for one guest of the usual size, as long as there is no other.
  const reserve = (memMib: number): Disposable =>
    memory.reserve(passing(memMib <= usualMib ? Math.min(memMib, memory.limitMib) : memMib));
  return {
    /** Configuration of the chat hosts of this user */
    hosts: createHosts(),
    /** Of each stream of the result `outputBytes` at most */
    run: async (request: RunInput, outputBytes: number, context: RunCall): Promise<RunOutput> => {
      try {
        using _reservation = reserve(request.mem_mib);
        const machine = await openMachine(paths, context);
        const environment = await findEnvironment(request.environment, context);
        return await runInGuest(machine, paths, environment, request, outputBytes, context);
      } catch (error) {
        if (!request.allow_host_compat || !isHostTrouble(error)) throw error;
        context.onProgress({
          phase: 'host_compat',
          message: `WARNING: no guest (${error.message.split('\n')[0]}); running ON THIS HOST WITHOUT ISOLATION, as --allow-host-compat permits`,
        });
        return await runOnHost(request, outputBytes, context);
      }
    },
    demo: async (environment: string, context: CallContext): Promise<DemoOutput> => {
      using _reservation = reserve(usualMib);
      return await runDemo(paths, environment, context, openMachine);
    },
    prepare: async (environment: string, isForced: boolean, context: CallContext): Promise<PrepareOutput> => {
      using _reservation = reserve(usualMib);
      return await prepare(paths, environment, isForced, context, openMachine);
    },
    doctor: async (environment: string, context: CallContext) => await examine(paths, environment, context),
    listEnvironments: async (): Promise<EnvironmentSummary[]> => {
      const cached = new Map((await listEnvironments(store)).map((each) => [each.record.name, each]));
      const rows = catalogue.map((entry) => summarize(entry.name, entry, cached.get(entry.name)));
      const others = [...cached.values()].filter((each) => findEntry(each.record.name) === undefined);
      return [...rows, ...others.map((each) => summarize(each.record.name, undefined, each))];
    },
    inspectEnvironment: async (name: string) => details(name, await resolveEnvironment(store, name)),
    pullEnvironment: async (
      { environment: name, source }: EnvPullInput,
      context: CallContext,
    ): Promise<EnvPullOutput> => {
      await ensurePrivateFolder(paths.cache);
      await assertRoom(paths, 'a new environment', context.signal);
      const { environment, outcome, previousDigest, note } = await pullEnvironment({ store, name, source, ...context });
      return {
        name,
        outcome,
        source: environment.record.source,
        digest: environment.digest,
        previous_digest: previousDigest ?? null,
        image_bytes: environment.record.image_bytes,
        note: note ?? null,
      };
    },
    /** With `dry_run` it only tells */
    pruneEnvironments: async ({ all: isAll, dry_run: isDryRun }: EnvPruneInput): Promise<EnvPruneOutput> => {
      if (!isDryRun) await sweepRuns(paths);
      const fromStore = await pruneStore(store, { isAll, isDryRun });
      const used = new Set((await listEnvironments(store)).map((each) => each.digest));
      const fromTemplates = await pruneTemplates(paths.cache, used, { isAll, isDryRun });
      // A workspace keeps its image through a link of its own, so only the next one of the same checkout is slower.
      const graceMs = isAll ? 0 : projectGraceMs;
      const fromProjects = await pruneProjectImages(openProjectStore(paths.cache), new Set(), { graceMs, isDryRun });
      return {
        dry_run: isDryRun,
        freed_bytes: fromStore.freed_bytes + fromTemplates.freed_bytes + fromProjects.freed_bytes,
        removed: [
          ...fromStore.removed,
          ...fromTemplates.removed,
          ...fromProjects.removed.map((key) => `project image ${key.slice(0, 12)}`),
        ],
      };
    },
    /** Defaults of this user, by field, and the file that holds them. Throws `usage` for one that cannot be read. */
    readSettings: async () => ({ path: settingsPath(), stored: await readSettings() }),
    writeSettings,
    /** Space that the cache and the state of this user take */
    storage: async ({ signal }: CallContext) => await measureStorage(paths, signal),
  };
}

/** Only a machine that cannot run guests justifies using the host; a wrong name or command does not. */
function isHostTrouble(error: unknown): error is PyroError {
  return isPyroError(
    error,
    'tool_missing',
    'host_unsupported',
    'guest_kit_missing',
    'guest_boot_failed',
    'guest_unreachable',
    'qemu_failed',
    'registry_unreachable',
    'environment_build_failed',
  );
}

function summarize(
  name: string,
  entry: CatalogueEntry | undefined,
  cached: Environment | undefined,
): EnvironmentSummary {
  return {
    name,
    reference: entry?.reference ?? cached?.record.reference ?? (entry === undefined ? name : packagesReference),
    description: entry?.description ?? 'OCI image',
    installed: cached !== undefined,
    source: cached?.record.source ?? null,
    digest: cached?.digest ?? null,
    image_bytes: cached?.record.image_bytes ?? null,
    created_at: cached?.record.created_at ?? null,
  };
}

function details(name: string, cached: Environment | undefined): EnvInspectOutput {
  const entry = findEntry(name);
  if (entry === undefined && cached === undefined) {
    parseReference(name);
    throw new PyroError('environment_not_installed', `${name} is not in the local cache`, {
      hint: `pull it with: ${hintCall('env.pull', { environment: name })}`,
    });
  }
  const record = cached?.record;
  return {
    ...summarize(name, entry, cached),
    layers: record?.layers ?? 0,
    packages: [...(record?.packages ?? entry?.packages ?? [])],
    env: record?.config.env ?? [],
    working_dir: record?.config.working_dir ?? '/',
    user: record?.config.user ?? '',
    path: cached?.imagePath ?? null,
  };
}
