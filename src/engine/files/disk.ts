// The disk of a stopped workspace as a file of the host.
import { chmod, lstat, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { refuseSpecial, settleFile } from '../../changes/export-place.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { DiskExportInput, DiskExportOutput } from '../../contract/snapshots.ts';
import { PyroError } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { noteDraft } from '../../system/drafts.ts';
import { temporaryName } from '../../system/files.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { namesBelow } from '../guests/layers.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { noteEvent } from '../workspace/workspace-secrets.ts';
import { diskTreeJob } from './disk-jobs.ts';
import { assertStopped, inspectLayer } from './inspect.ts';

/** Writes the whole disk (raw, qcow2) or a tree of it (tar); the file appears whole. */
export async function exportDisk(
  workspace: Workspace,
  input: DiskExportInput,
  call: WorkspaceCall,
): Promise<DiskExportOutput> {
  const output = await permitHostPath(input.output_path, call.hostPaths);
  const standing = await lstat(output).catch(() => undefined);
  if (standing !== undefined && (!input.overwrite || standing.isDirectory())) {
    const { format } = input;
    const again = hintCall('workspace.disk.export', { workspace_id: workspace.record.id, format, overwrite: 'true' });
    const hint = standing.isDirectory()
      ? 'choose the path of a file'
      : `choose another path, or replace it with: ${again}`;
    throw new PyroError('output_exists', `${output} already exists`, { hint });
  }
  if (standing !== undefined) refuseSpecial(output, standing);
  const draft = temporaryName(output);
  return await workspace.exclusively(call, async () => {
    assertStopped(workspace);
    const { record, files } = workspace;
    await using _note = await noteDraft(files.drafts, { made: [draft, `${draft}.raw`] });
    try {
      if (input.format === 'tar') {
        const tree = { path: guestPath(input.path), draft };
        await inspectLayer(workspace, record.disk, call, (_files, client) =>
          runJob(workspace, diskTreeJob, tree, { guests: [client], context: call }),
        );
      } else {
        if (workspace.secrets.wasGivenAny && !input.include_secrets) throw secretDisk(record.id);
        const { layers } = await workspace.resources.machine(call);
        const below = namesBelow(record.layers, record.disk).map((name) => join(files.folder, name));
        const chain = { disk: join(files.folder, record.disk), below, sizeMib: record.disk_mib };
        await layers.flatten(chain, draft, input.format, call.signal);
        await chmod(draft, 0o600);
      }
      await settleFile({ final: output, temporary: draft, madeFolders: [] }, input.overwrite);
    } finally {
      await rm(draft, { force: true });
    }
    await noteEvent(workspace, 'export', output);
    const { blocks, size } = await stat(output);
    const bytes = input.format === 'raw' ? blocks * 512 : size;
    const what = `the disk to ${output} as ${input.format}`;
    await workspace.audit.note({ kind: 'disk', direction: 'out', what, bytes });
    return { workspace_id: record.id, output_path: output, disk_format: input.format, bytes_written: bytes };
  });
}

/** What a program has made of a secret, or a file system has kept of a deleted file, nobody can find on a whole disk. */
function secretDisk(id: string): PyroError {
  const tar = hintCall('workspace.disk.export', { workspace_id: id, format: 'tar' });
  return new PyroError('secret_in_output', 'the workspace has secrets, and its disk may hold them in any form', {
    hint: `export its files with ${tar}: files that contain a secret are named; include_secrets, at the command line, writes the disk all the same`,
  });
}
