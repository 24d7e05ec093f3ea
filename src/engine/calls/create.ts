// A new workspace: environment, project, disk and guest first, the record last, so that it exists whole or not at all.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { WorkspaceRecord } from '../../contract/records.ts';
import type { WorkspaceView } from '../../contract/workspaces.ts';
import { type CreateInput, keptOf } from '../../contract/workspaces.ts';
import { readImageId } from '../../project/image-id.ts';
import { projectGuestFolder } from '../../project/project-types.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { PyroError } from '../../shared/errors.ts';
import { defaultEnvironment } from '../../shared/policy-types.ts';
import { assertRoom } from '../../system/disk-room.ts';
import { makeFolder } from '../../system/folders.ts';
import { againIfTakenAway } from '../../system/taken-away.ts';
import { grantFor, permitPackageSources } from '../guests/guest-network.ts';
import { passing } from '../guests/memory-limit.ts';
import type { Preparations } from '../guests/preparations.ts';
import { guestEnvironment } from '../guests/throw-away.ts';
import { noteCreated } from '../output/audit-notes.ts';
import { baseEnvironment } from '../workspace/guest-places.ts';
import { placeProject, planOf } from '../workspace/guest-plan.ts';
import { Workspace } from '../workspace/workspace.ts';
import { newLayer, nowSeconds, untouchedOn } from '../workspace/workspace-record.ts';
import type { WorkspaceRegistry } from '../workspace/workspace-registry.ts';
import { maskError, noteEvent, readSecrets } from '../workspace/workspace-secrets.ts';
import { emptySeed } from './list.ts';
import type { SeedMemory } from './seed.ts';
import { checkLabels, maskLabels, viewOf } from './view.ts';

export async function createWorkspace(
  registry: WorkspaceRegistry,
  preparations: Preparations,
  seeds: SeedMemory,
  input: CreateInput,
  caller: WorkspaceCall,
): Promise<WorkspaceView> {
  // Before the first await: a create that comes meanwhile must not be given the same memory.
  using reservation = registry.resources.memory.reserve(passing(input.mem_mib));
  const secrets = await readSecrets(input.secrets, caller);
  try {
    const means = { registry, preparations, seeds, secrets, reservation };
    return await againIfTakenAway(() => makeWorkspace(means, input, caller));
  } catch (error) {
    throw maskError(error, secrets);
  }
}

interface Means {
  readonly registry: WorkspaceRegistry;
  readonly preparations: Preparations;
  readonly seeds: SeedMemory;
  readonly secrets: SecretSet;
  readonly reservation: Disposable;
}

async function makeWorkspace(
  { registry, preparations, seeds, secrets, reservation }: Means,
  input: CreateInput,
  caller: WorkspaceCall,
): Promise<WorkspaceView> {
  if (input.empty && input.seed_path !== undefined) {
    throw new PyroError('usage', 'a workspace is either empty or has a seed_path, not both', {
      hint: 'leave one of the two out',
    });
  }
  const call = input.empty ? { ...caller, project: undefined } : caller;
  const labels = checkLabels(input.labels);
  const { resources, paths } = registry;
  const id = randomBytes(6).toString('hex');
  await assertRoom(paths, 'a new workspace', call.signal);
  const name = input.environment ?? call.project?.environment ?? defaultEnvironment;
  const grant = grantFor(input.network_policy, input.allow, call.network);
  const packageSources = permitPackageSources(input.package_sources, call.network);
  // Reading a large checkout takes as long as starting a guest, so the start goes ahead if the image can be guessed.
  const seeding = await seeds.begin(paths, resources.jobs, input.seed_path, call);
  const [environment, known, machine] = await Promise.all([
    preparations.environment(name, input.wait_seconds * 1000, call),
    seeding.guess === undefined ? seeding.prepare() : undefined,
    resources.machine(call),
  ]);
  const expected = seeding.guess ?? known?.image;
  const files = registry.filesOf(id);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(files.folder, { recursive: true, force: true }));
  await makeFolder(files.folder);
  const now = nowSeconds();
  const disk = newLayer();
  const draft: WorkspaceRecord = {
    version: 1,
    id,
    name: input.name === undefined ? null : secrets.maskText(input.name),
    labels: maskLabels(labels, secrets),
    environment: name,
    environment_digest: environment.digest,
    image: {
      env: [...environment.record.config.env],
      working_dir: environment.record.config.working_dir,
      user: environment.record.config.user,
    },
    ...keptOf(input),
    created_at: now,
    last_activity_at: now,
    secrets: secrets.list(),
    // Access to the package sources alone counts as network access, too.
    network_policy: packageSources !== 'none' && grant.policy === 'off' ? 'egress' : grant.policy,
    network_grant: grant,
    package_sources: packageSources,
    seed: emptySeed,
    has_project: expected !== undefined,
    ...untouchedOn(disk),
  };
  const workspace = await Workspace.open(resources, files, draft, secrets);
  const running = Promise.withResolvers<void>();
  if (expected !== undefined) await placeProject(files, expected);
  const plan = { ...(await planOf(workspace, draft, call)), onRunning: running.resolve };
  await machine.furnish(plan, environment.imagePath, call);
  undo.defer(() => workspace.network.closeAll());
  const starting = machine.startFresh(plan, call);
  // If the start fails, there is no reason to read the project.
  starting.then(() => running.resolve(), running.reject);
  running.promise.catch(() => undefined);
  // Only once there is nothing to do but wait for the guest: both at once on one thread would delay the start.
  const looking = known ?? running.promise.then(() => seeding.prepare());
  const [start, look] = await Promise.allSettled([starting, looking]);
  if (start.status === 'rejected') throw start.reason;
  let started = start.value;
  undo.defer(() => started.guest[Symbol.asyncDispose]());
  if (look.status === 'rejected') throw look.reason;
  const seed = look.value;
  if (seed.image !== undefined && seed.image !== expected) {
    await workspace.network.closeAll();
    await started.guest[Symbol.asyncDispose]();
    await placeProject(files, seed.image);
    started = await machine.startFresh(await planOf(workspace, draft, call), call);
  }
  if (secrets.list().length > 0) {
    const store = await resources.secretStore();
    await store.save(id, secrets);
    undo.defer(() => store.remove(id));
  }
  await noteEvent(workspace, 'created', name);
  undo.defer(() => rm(files.audit, { force: true }));
  call.signal.throwIfAborted();
  // From here on it exists.
  await workspace.update({ guest: started.record, seed: seed.view });
  undo.move();
  workspace.attach(started, reservation);
  registry.add(workspace);
  await noteCreated(workspace.audit, workspace.record);
  resources.checkLater(workspace, { started, projectImage: seed.image });
  const imageId = seed.image === undefined ? undefined : await readImageId(seed.image);
  if (seed.image !== undefined && imageId !== undefined) {
    resources.prepareNextCreate({
      environment: guestEnvironment(environment),
      size: plan.size,
      variables: baseEnvironment(draft),
      image: seed.image,
      imageId,
      folder: projectGuestFolder,
      hasPlainSettings: seed.view.mode !== 'tar_archive',
    });
  }
  call.onProgress({ phase: 'ready', message: `workspace ${id} is ready` });
  return viewOf(workspace);
}
