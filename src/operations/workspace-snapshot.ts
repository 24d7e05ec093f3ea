// snapshot.* and disk.*: named states of a workspace's disk, and the disk of a stopped one.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { fileText, listText } from './model-texts.ts';
import {
  fileListOutput,
  fileReadOutput,
  pathField,
  renderFileCommand,
  renderFileList,
} from './workspace-file-shapes.ts';
import { formatTime, workspaceIdField, workspacesOf } from './workspace-scalars.ts';

const full = ['workspace-full'] as const;
const nameField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a snapshot name has 1 to 64 letters, digits, dots, hyphens, underscores')
  .describe('Name of the snapshot');
const snapshotSchema = z.object({
  workspace_id: z.string(),
  snapshot_name: z.string(),
  kind: z.enum(['baseline', 'named']),
  created_at: z.number(),
  changed_bytes: z.number().describe('What its own layer holds'),
  deletable: z.boolean(),
});

export const snapshotCreate = defineOperation({
  name: 'workspace.snapshot.create',
  title: 'Take a snapshot',
  summary: 'Keep the present disk of a workspace under a name',
  details:
    'Instant whatever its size; processes go on. workspace_reset goes back to it, workspace_diff compares with it.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: full, name: 'snapshot_create' },
  positionals: ['workspace_id', 'snapshot_name'],
  input: z.strictObject({ workspace_id: workspaceIdField, snapshot_name: nameField }),
  output: z.object({ workspace_id: z.string(), snapshot: snapshotSchema, execution_mode: z.literal('guest') }),
  examples: [{ why: 'Before a risky step', command: 'pyro workspace snapshot create 6f1e538c0e71 before' }],
  run: async (context, { workspace_id: id, snapshot_name: name }) => ({
    workspace_id: id,
    snapshot: await workspacesOf(context).snapshotCreate(id, name, context),
    execution_mode: 'guest' as const,
  }),
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
  input: z.strictObject({ workspace_id: workspaceIdField }),
  output: z.object({ workspace_id: z.string(), count: z.number(), snapshots: z.array(snapshotSchema) }),
  examples: [{ why: 'What there is to go back to', command: 'pyro workspace snapshot list 6f1e538c0e71' }],
  run: async (context, { workspace_id: id }) => {
    const snapshots = await workspacesOf(context).snapshotList(id);
    return { workspace_id: id, count: snapshots.length, snapshots };
  },
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
  summary: 'Forget a snapshot of a workspace',
  details: 'Layers that only it needed go, or are merged at the next start.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: full, name: 'snapshot_delete' },
  positionals: ['workspace_id', 'snapshot_name'],
  input: z.strictObject({ workspace_id: workspaceIdField, snapshot_name: nameField }),
  output: z.object({ workspace_id: z.string(), snapshot_name: z.string(), deleted: z.boolean() }),
  examples: [{ why: 'No longer needed', command: 'pyro workspace snapshot delete 6f1e538c0e71 before' }],
  run: async (context, { workspace_id: id, snapshot_name: name }) => {
    await workspacesOf(context).snapshotDelete(id, name);
    return { workspace_id: id, snapshot_name: name, deleted: true };
  },
  render: ({ snapshot_name: name }) => `deleted ${name}\n`,
});

export const diskList = defineOperation({
  name: 'workspace.disk.list',
  title: 'List files of a stopped workspace',
  summary: 'List files on the disk of a stopped workspace',
  details: 'A guest of ours mounts the disk and runs nothing of what is on it.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: full, isIdempotent: true },
  positionals: ['workspace_id', 'path'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: pathField.default('/workspace'),
    recursive: z.boolean().default(false).describe('List everything below'),
    limit: z.number().int().min(1).max(10_000).default(100).describe('Most entries in the result'),
    cursor: z.string().optional().describe('next_cursor of an earlier call'),
  }),
  output: fileListOutput,
  examples: [{ why: 'What it left', command: 'pyro workspace disk list 6f1e538c0e71 /var/log' }],
  run: async (context, { workspace_id, path, recursive, limit, cursor }) => {
    const request = { path, depth: recursive ? 100 : 1, glob: undefined, limit, cursor };
    const listed = await workspacesOf(context).diskList(workspace_id, request, context);
    return { workspace_id, recursive, ...listed, execution_mode: 'guest' as const };
  },
  render: renderFileList,
  renderModel: listText,
});

export const diskRead = defineOperation({
  name: 'workspace.disk.read',
  title: 'Read a file of a stopped workspace',
  summary: 'Read a file on the disk of a stopped workspace',
  details: 'A guest of ours mounts the disk and runs nothing of what is on it.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: full, isIdempotent: true },
  commandDefaults: { max_bytes: 1_048_576 },
  positionals: ['workspace_id', 'path'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: pathField,
    max_bytes: z.number().int().min(1).max(1_048_576).default(65_536).describe('Most bytes in the result'),
    offset: z.number().int().min(0).optional().describe('First byte to read'),
  }),
  output: fileReadOutput,
  examples: [{ why: 'A log after a crash', command: 'pyro workspace disk read 6f1e538c0e71 /var/log/app.log' }],
  run: async (context, { workspace_id: id, path, max_bytes: maxBytes, offset }) => ({
    ...(await workspacesOf(context).diskRead(
      id,
      { path, maxBytes, offset, startLine: undefined, endLine: undefined },
      context,
    )),
    execution_mode: 'guest' as const,
  }),
  render: fileText,
  renderCommand: renderFileCommand,
});

export const diskExport = defineOperation({
  name: 'workspace.disk.export',
  title: 'Export the disk of a stopped workspace',
  summary: 'Write the disk of a stopped workspace, or a tree of it, to a file of the host',
  details: 'raw and qcow2 are the ext4 disk with the changes; tar is the tree at path, seed and environment included.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: full },
  hostPathFields: ['output_path'],
  positionals: ['workspace_id'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    output_path: z.string().min(1).max(4096).describe('Path on the host'),
    format: z.enum(['raw', 'qcow2', 'tar']).default('qcow2').describe('What is written'),
    path: pathField.default('/workspace').describe('Tree in the guest, for tar'),
    overwrite: z.boolean().default(false).describe('Replace what stands at output_path'),
  }),
  output: z.object({
    workspace_id: z.string(),
    output_path: z.string(),
    disk_format: z.string(),
    bytes_written: z.number(),
  }),
  examples: [
    { why: 'For later', command: 'pyro workspace disk export 6f1e538c0e71 --output-path disk.qcow2' },
    { why: 'The files', command: 'pyro workspace disk export 6f1e538c0e71 --format tar --output-path work.tar' },
  ],
  run: async (context, input) => ({
    workspace_id: input.workspace_id,
    ...(await workspacesOf(context).diskExport(
      input.workspace_id,
      { outputPath: input.output_path, format: input.format, path: input.path, isOverwrite: input.overwrite },
      context,
    )),
  }),
  render: (output) => `${output.output_path}: ${output.disk_format}, ${formatBytes(output.bytes_written)}\n`,
});
