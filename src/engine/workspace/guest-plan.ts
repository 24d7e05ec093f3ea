// What a workspace gives each of its guests: what it is to start on, and what it gets before anybody uses it.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkspaceRecord } from '../../contract/records.ts';
import { linkOrCopy } from '../../machine/disks.ts';
import type { Guest, GuestPlan, Machine, StartedGuest } from '../../machine/machine.ts';
import { readImageId } from '../../project/image-id.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { namesBelow } from '../guests/layers.ts';
import type { Workspace } from './workspace.ts';
import type { WorkspaceFiles } from './workspace-record.ts';
import { bringSecrets } from './workspace-secrets.ts';

/** Puts a project in the place of the one that may be there; the guest that is planned next mounts it. */
export async function placeProject(files: WorkspaceFiles, image: string): Promise<void> {
  await rm(files.projectImage, { force: true });
  await linkOrCopy(image, files.projectImage);
}

/** How a guest of this workspace starts; it outlives this process. */
export async function planOf(workspace: Workspace, record: WorkspaceRecord, context: CallContext): Promise<GuestPlan> {
  const { files } = workspace;
  const project = { image: files.projectImage };
  return {
    id: record.id,
    environment: { name: record.environment, digest: record.environment_digest },
    size: { vcpuCount: record.vcpu_count, memoryMib: record.mem_mib },
    disks: {
      rootImage: files.rootImage,
      top: join(files.folder, record.disk),
      base: files.baseDisk,
      below: namesBelow(record.layers, record.disk).map((name) => join(files.folder, name)),
      project: record.has_project ? { ...project, imageId: await readImageId(project.image) } : undefined,
      sizeMib: record.disk_mib,
    },
    // A guest that takes another's place needs sockets of its own while both run.
    socketFolder: `w${record.id}-${randomBytes(3).toString('hex')}`,
    messageFile: files.messages,
    arrive: (guest) => arrive(workspace, guest, context),
  };
}

/** A guest on a new layer, the top of its plan, which lies on the seed's disk (null) or on another layer. */
export async function startAbove(
  machine: Machine,
  plan: GuestPlan,
  below: string | null,
  context: CallContext,
): Promise<StartedGuest> {
  if (below === null) return await machine.startFresh(plan, context);
  await machine.layers.create(plan.disks.top, below, plan.disks.sizeMib, context.signal);
  return await machine.startOnDisk(plan, context);
}

/** Secrets and the network, as far as it is granted. */
export async function arrive(workspace: Workspace, guest: Guest, context: CallContext): Promise<void> {
  const { secrets, network } = workspace;
  await bringSecrets(guest, secrets, context);
  await network.open(guest.client, guest.networkSocket, context.signal);
  secrets.hide(network.secretValues);
  watchOutput(workspace, guest);
}

/** Secrets in what the guest puts out are masked from now on. */
export function watchOutput({ secrets }: Workspace, guest: Guest): void {
  if (!secrets.isEmpty) guest.client.newOutputFilter = () => secrets.redactor();
}
