// The disk of a workspace looked at through a guest of ours, which mounts it and runs nothing of what is on it.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestFiles } from '../../agent/file-types.ts';
import type { GuestClient } from '../../agent/guest-client.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { passing } from '../guests/memory-limit.ts';
import { planOf, startAbove } from '../workspace/guest-plan.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { newLayer } from '../workspace/workspace-record.ts';

/** It reads files and runs nothing, so it has the size of prepared environments even if its workspace is larger. */
const helperSize = { vcpu_count: 1, mem_mib: 1024 };

/** Work with the files of a frozen layer; what the helper guest writes is discarded with it. */
export async function inspectLayer<T>(
  workspace: Workspace,
  layer: string,
  context: CallContext,
  work: (files: GuestFiles, client: GuestClient) => Promise<T>,
): Promise<T> {
  const { vcpu_count, mem_mib, layers } = workspace.record;
  const size = mem_mib > helperSize.mem_mib ? helperSize : { vcpu_count, mem_mib };
  using _reservation = workspace.resources.memory.reserve(passing(size.mem_mib));
  const disk = newLayer();
  const plan = {
    ...(await planOf(workspace, { ...workspace.record, ...size, disk, layers: { ...layers, [disk]: layer } }, context)),
    // It ends with us, and gets none of the workspace's secrets.
    messageFile: undefined,
    arrive: undefined,
  };
  try {
    const machine = await workspace.resources.machine(context);
    const { guest } = await startAbove(machine, plan, layer, context);
    await using _guest = guest;
    return await guest.use(() => work(createGuestFiles(guest.client), guest.client));
  } finally {
    await rm(join(workspace.files.folder, disk), { force: true });
  }
}

/** The same for the disk of a stopped workspace, which stays stopped. Throws `workspace_running`. */
export async function inspectStopped<T>(
  workspace: Workspace,
  context: CallContext,
  work: (files: GuestFiles) => Promise<T>,
): Promise<T> {
  return await workspace.exclusively(context, async () => {
    assertStopped(workspace);
    try {
      return await inspectLayer(workspace, workspace.record.disk, context, work);
    } catch (error) {
      if (!isPyroError(error, 'file_missing', 'not_a_file', 'not_a_directory', 'is_a_directory')) throw error;
      // The usual hint names a call that needs a running guest.
      const hint = `list what is there with: ${hintCall('workspace.disk.list', { workspace_id: workspace.record.id })}`;
      throw new PyroError(error.code, error.message, { hint, details: error.details });
    }
  });
}

export function assertStopped({ record, guest }: Workspace): void {
  if (guest === undefined && record.guest === null) return;
  throw new PyroError('workspace_running', `workspace ${record.id} is running`, {
    hint: `stop it first: ${hintCall('workspace.stop', { workspace_id: record.id })}; or use ${hintCall('workspace.file.read')} while it is running`,
  });
}
