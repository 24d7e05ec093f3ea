// The disk of a stopped workspace as a file of the host.
import { lstat, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { refuseSpecial } from '../../changes/export-place.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { DiskExportInput, DiskExportOutput } from '../../contract/snapshots.ts';
import { convertDisk, type DiskLayers } from '../../machine/layers.ts';
import { PyroError } from '../../shared/errors.ts';
import { noteDraft } from '../../system/drafts.ts';
import { temporaryName } from '../../system/files.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { recordEvent } from '../output/events.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { cleanDiskJob, diskTreeJob } from './disk-jobs.ts';
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
    const hint = standing.isDirectory() ? 'choose the path of a file' : 'choose another path, or set overwrite';
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
        const { layers } = await workspace.resources.machine(call);
        await writeDisk(workspace, layers, draft, input.format, call);
      }
      await rename(draft, output);
    } finally {
      await rm(draft, { force: true });
    }
    await recordEvent(files.events, 'export', output);
    const { blocks, size } = await stat(output);
    const bytes = input.format === 'raw' ? blocks * 512 : size;
    const what = `the disk to ${output} as ${input.format}`;
    await workspace.audit.note({ kind: 'disk', direction: 'out', what, bytes });
    return { workspace_id: record.id, output_path: output, disk_format: input.format, bytes_written: bytes };
  });
}

/** The disk as one file, checked for secrets before anyone could read it. */
async function writeDisk(
  workspace: Workspace,
  layers: DiskLayers,
  draft: string,
  format: 'raw' | 'qcow2',
  call: WorkspaceCall,
): Promise<void> {
  const { signal } = call;
  const { files, record, secrets } = workspace;
  const disk = join(files.folder, record.disk);
  if (secrets.isEmpty) return await layers.flatten(disk, draft, format, signal);
  const raw = format === 'raw' ? draft : `${draft}.raw`;
  try {
    await layers.flatten(disk, raw, 'raw', signal);
    await runJob(workspace, cleanDiskJob, { image: raw }, { guests: [], context: call });
    if (raw !== draft) await convertDisk(raw, draft, 'qcow2', signal);
  } finally {
    if (raw !== draft) await rm(raw, { force: true });
  }
}
