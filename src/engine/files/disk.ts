// The disk of a stopped workspace as a file of the host.
import { createWriteStream } from 'node:fs';
import { lstat, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { GuestFiles } from '../../agent/file-types.ts';
import { refuseSpecial } from '../../changes/export-place.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { DiskExportInput, DiskExportOutput } from '../../contract/snapshots.ts';
import { convertDisk, type DiskLayers } from '../../machine/layers.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { PyroError } from '../../shared/errors.ts';
import { temporaryName } from '../../system/files.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { recordEvent } from '../output/events.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { assertCleanDisk } from './disk-secrets.ts';
import { assertStopped, inspectLayer } from './inspect.ts';
import { SecretWatch } from './secret-watch.ts';

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
    const { record, files, secrets } = workspace;
    try {
      if (input.format === 'tar') {
        await inspectLayer(workspace, record.disk, call, async (guestFiles) => {
          const packing = { path: guestPath(input.path) };
          if (!secrets.isEmpty) await assertNoSecret(guestFiles, packing, secrets, call);
          const tree = await guestFiles.pack(packing, call);
          await pipeline(tree, createWriteStream(draft, { flags: 'wx', mode: 0o600 }), { signal: call.signal });
        });
      } else {
        const { layers } = await workspace.resources.machine(call);
        await writeDisk(layers, join(files.folder, record.disk), draft, input.format, secrets, call);
      }
      await rename(draft, output);
    } finally {
      await rm(draft, { force: true });
    }
    await recordEvent(files.events, 'export', output);
    const { blocks, size } = await stat(output);
    const bytes = input.format === 'raw' ? blocks * 512 : size;
    return { workspace_id: record.id, output_path: output, disk_format: input.format, bytes_written: bytes };
  });
}

/** The disk as one file, checked for secrets before anyone could read it. */
async function writeDisk(
  layers: DiskLayers,
  disk: string,
  draft: string,
  format: 'raw' | 'qcow2',
  secrets: SecretSet,
  { signal }: WorkspaceCall,
): Promise<void> {
  if (secrets.isEmpty) return await layers.flatten(disk, draft, format, signal);
  const raw = format === 'raw' ? draft : `${draft}.raw`;
  try {
    await layers.flatten(disk, raw, 'raw', signal);
    await assertCleanDisk(raw, secrets, signal);
    if (raw !== draft) await convertDisk(raw, draft, 'qcow2', signal);
  } finally {
    if (raw !== draft) await rm(raw, { force: true });
  }
}

/** Reads the tree once before it is written as it is, with owners and times. Throws `secret_in_output`. */
async function assertNoSecret(
  files: GuestFiles,
  packing: { readonly path: string },
  secrets: SecretSet,
  call: WorkspaceCall,
): Promise<void> {
  const tree = await new SecretWatch(secrets, '').files(files).pack(packing, call);
  for await (const _ of tree) call.signal.throwIfAborted();
}
