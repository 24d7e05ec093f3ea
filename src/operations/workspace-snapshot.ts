// snapshot.* and disk.*: named states of a workspace's disk, and the disk of a stopped one.

import { fileListOutput, fileReadOutput } from '../contract/files.ts';
import {
  diskExportInput,
  diskExportOutput,
  diskListInput,
  diskReadInput,
  snapshotCreateInput,
  snapshotCreateOutput,
  snapshotDeleteInput,
  snapshotDeleteOutput,
  snapshotListInput,
  snapshotListOutput,
} from '../contract/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { fileText, listText } from './model-texts.ts';
import { renderFileCommand, renderFileList } from './workspace-file-shapes.ts';
import { formatTime, workspacesOf } from './workspace-scalars.ts';

const full = ['workspace-full'] as const;
export const snapshotCreate = defineOperation({
  name: 'workspace.snapshot.create',
  title: 'Take a snapshot',
  summary: 'Keep the current disk of a workspace under a name',
  details:
    'Instant at any size; processes keep running. workspace_reset goes back to it, workspace_diff compares with it.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: full, name: 'snapshot_create' },
  positionals: ['workspace_id', 'snapshot_name'],
  input: snapshotCreateInput,
  output: snapshotCreateOutput,
  examples: [{ why: 'Before a risky step', command: 'pyro workspace snapshot create 6f1e538c0e71 before' }],
  run: async (context, input) => await workspacesOf(context).snapshotCreate(input, context),
  render: ({ snapshot }) => `snapshot ${snapshot.snapshot_name}, ${formatBytes(snapshot.changed_bytes)} changed\n`,
});

export const snapshotList = defineOperation({
  name: 'workspace.snapshot.list',
  title: 'List snapshots',
  summary: 'List the snapshots of a workspace',
  details: 'baseline is the seed.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: full, name: 'snapshot_list', isIdempotent: true, isData: true },
  positionals: ['workspace_id'],
  input: snapshotListInput,
  output: snapshotListOutput,
  examples: [{ why: 'What there is to go back to', command: 'pyro workspace snapshot list 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).snapshotList(input, context),
  render: ({ snapshots }, width) =>
    `${formatTable(
      [
        ['NAME', 'TAKEN (UTC)', 'CHANGED'],
        ...snapshots.map((each) => [each.snapshot_name, formatTime(each.created_at), formatBytes(each.changed_bytes)]),
      ],
      width,
    )}\n`,
});

export const snapshotDelete = defineOperation({
  name: 'workspace.snapshot.delete',
  title: 'Delete a snapshot',
  summary: 'Delete a snapshot of a workspace',
  details: 'Layers that only it needed are removed, or merged at the next start.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: full, name: 'snapshot_delete' },
  positionals: ['workspace_id', 'snapshot_name'],
  input: snapshotDeleteInput,
  output: snapshotDeleteOutput,
  examples: [{ why: 'No longer needed', command: 'pyro workspace snapshot delete 6f1e538c0e71 before' }],
  run: async (context, input) => await workspacesOf(context).snapshotDelete(input, context),
  render: ({ snapshot_name: name }) => `deleted ${name}\n`,
});

export const diskList = defineOperation({
  name: 'workspace.disk.list',
  title: 'List files of a stopped workspace',
  summary: 'List files on the disk of a stopped workspace',
  details: 'A separate guest mounts the disk and runs nothing from it.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: full, isIdempotent: true },
  positionals: ['workspace_id', 'path'],
  input: diskListInput,
  output: fileListOutput,
  examples: [{ why: 'What it left behind', command: 'pyro workspace disk list 6f1e538c0e71 /var/log' }],
  run: async (context, input) => await workspacesOf(context).diskList(input, context),
  render: renderFileList,
  renderModel: listText,
});

export const diskRead = defineOperation({
  name: 'workspace.disk.read',
  title: 'Read a file of a stopped workspace',
  summary: 'Read a file on the disk of a stopped workspace',
  details: 'A separate guest mounts the disk and runs nothing from it.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: full, isIdempotent: true },
  commandDefaults: { max_bytes: 1_048_576 },
  showsContent: true,
  positionals: ['workspace_id', 'path'],
  input: diskReadInput,
  output: fileReadOutput,
  examples: [{ why: 'A log after a crash', command: 'pyro workspace disk read 6f1e538c0e71 /var/log/app.log' }],
  run: async (context, input) => await workspacesOf(context).diskRead(input, context),
  render: fileText,
  renderCommand: renderFileCommand,
});

export const diskExport = defineOperation({
  name: 'workspace.disk.export',
  title: 'Export the disk of a stopped workspace',
  summary: 'Write the disk of a stopped workspace, or a tree of it, to a file on the host',
  details:
    'raw and qcow2 are the ext4 disk with the changes; tar is the tree at path, seed and environment included. The disk of a workspace with secrets may hold them in any form, in deleted files too: it is refused, but for include_secrets at the command line.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: full, hiddenFields: ['include_secrets'] },
  hostPathFields: ['output_path'],
  positionals: ['workspace_id'],
  input: diskExportInput,
  output: diskExportOutput,
  examples: [
    { why: 'For later', command: 'pyro workspace disk export 6f1e538c0e71 --output-path disk.qcow2' },
    { why: 'The files', command: 'pyro workspace disk export 6f1e538c0e71 --format tar --output-path work.tar' },
  ],
  run: async (context, input) => await workspacesOf(context).diskExport(input, context),
  render: (output) => `${output.output_path}: ${output.disk_format}, ${formatBytes(output.bytes_written)}\n`,
});
