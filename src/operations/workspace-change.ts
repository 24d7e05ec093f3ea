// workspace.patch.apply, diff, export, sync.push: changes into a workspace and out of it.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { exportedText, ignoredLine, isWholePatch, patchedText } from './model-texts.ts';
import { core, workspaceIdField, workspacesOf } from './workspace-scalars.ts';

const entrySchema = z.object({ path: z.string(), status: z.string() });
const countsSchema = z.record(z.string(), z.number());

export const diffEntrySchema = z.object({
  path: z.string(),
  status: z.string(),
  artifact_type: z.string(),
  old_path: z.string().nullable(),
  old_mode: z.string().nullable(),
  new_mode: z.string().nullable(),
  additions: z.number().nullable(),
  deletions: z.number().nullable(),
  is_binary: z.boolean(),
  left_out_bytes: z.number().nullable().describe('Size of a file that was too large to look into'),
});

export const ignoredSchema = z
  .object({ files: z.number(), bytes: z.number() })
  .describe('New files that the ignore rules of the project leave out');

const includeIgnoredField = z.boolean().default(false).describe('New files that the ignore rules leave out, too');

export const workspacePatchApply = defineOperation({
  name: 'workspace.patch.apply',
  title: 'Apply a patch',
  summary: 'Apply a patch to /workspace',
  details:
    'Takes whatever git diff prints (new, deleted, renamed files, modes, binary), or the *** Begin Patch form. All of it or nothing; a failure names the hunk and shows the lines there.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core, silentFields: ['workspace_id'] },
  findsWorkspace: true,
  positionals: ['workspace_id'],
  inputField: { field: 'patch', isBase64: false, unless: ['patch'] },
  input: z.strictObject({
    workspace_id: workspaceIdField,
    patch: z.string().min(1).max(25_165_824).describe('The diff, or *** Begin Patch … *** End Patch'),
  }),
  output: z.object({
    workspace_id: z.string(),
    changed: z.boolean(),
    summary: countsSchema,
    entries: z.array(entrySchema),
    execution_mode: z.literal('guest'),
  }),
  examples: [
    { why: 'What changed on the host', command: 'git diff --binary | pyro workspace patch apply 6f1e538c0e71' },
    { why: 'A patch from a file', command: 'pyro workspace patch apply 6f1e538c0e71 < fix.diff' },
  ],
  run: async (context, input) => ({
    ...(await workspacesOf(context).patchApply(input.workspace_id, input.patch, context)),
    execution_mode: 'guest' as const,
  }),
  render: ({ entries }) =>
    entries.length === 0
      ? 'nothing changed\n'
      : entries.map(({ path, status }) => `${status} ${visible(path)}\n`).join(''),
  renderModel: ({ entries }) => patchedText(entries),
});

export const workspaceDiff = defineOperation({
  name: 'workspace.diff',
  title: 'Diff against the seed',
  summary: 'Show what changed in /workspace since the seed, as a patch that git apply --binary takes',
  details:
    'Costs what changed, not what is there. .git, empty folders and new files that Git ignores are left out, the last ones counted. A file over max_file_bytes is named, and not in the patch. next_cursor is where a long patch goes on; stat_only gives the list alone; system also lists what changed outside of /workspace.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, resultChars: 200_000, silentFields: ['workspace_id', 'base'] },
  commandDefaults: { max_bytes: 4_194_304, entry_limit: 100_000, max_file_bytes: 0 },
  pages: { text: 'patch', cursor: 'cursor', next: 'next_cursor', single: ['cursor', 'max_bytes'], isPatch: true },
  short: 'diff',
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: z.string().min(1).max(4096).optional().describe('Only this file or folder'),
    base: z.string().min(1).max(64).default('baseline').describe('State to compare with: baseline or a snapshot'),
    stat_only: z.boolean().default(false).describe('The list of changes without the patch'),
    system: z.boolean().default(false).describe('List what changed outside of /workspace, too'),
    include_ignored: includeIgnoredField,
    max_file_bytes: z
      .number()
      .int()
      .min(0)
      .default(1_048_576)
      .describe('Size up to which a file stands in the patch, bytes; 0 for no limit'),
    cursor: z.string().max(64).optional().describe('Where to go on: next_cursor of the last call'),
    max_bytes: z.number().int().min(0).max(16_777_216).default(7000).describe('Most bytes of the patch'),
    entry_limit: z.number().int().min(1).max(100_000).default(60).describe('Most entries of the list'),
  }),
  output: z.object({
    workspace_id: z.string(),
    base: z.string(),
    changed: z.boolean(),
    summary: countsSchema,
    entries: z.array(diffEntrySchema),
    entries_truncated: z.boolean(),
    patch: z.string(),
    patch_bytes: z.number(),
    next_cursor: z.string().nullable(),
    ignored: ignoredSchema,
    left_out: z.array(z.object({ path: z.string(), reason: z.string() })).describe('Not in the patch'),
    left_out_count: z.number(),
    system_changes: z.array(entrySchema).nullable(),
  }),
  examples: [
    { why: 'Bring the work home', command: 'pyro workspace diff 6f1e538c0e71 | git apply --binary' },
    { why: 'Only the list', command: 'pyro workspace diff 6f1e538c0e71 --stat-only' },
  ],
  run: async (context, input) =>
    await workspacesOf(context).diff(
      input.workspace_id,
      {
        path: input.path,
        isStatOnly: input.stat_only,
        base: input.base,
        hasSystem: input.system,
        hasIgnored: input.include_ignored,
        maxFileBytes: input.max_file_bytes === 0 ? undefined : input.max_file_bytes,
        cursor: input.cursor,
        maxBytes: input.max_bytes,
        entryLimit: input.entry_limit,
      },
      context,
    ),
  render: (output) =>
    `${isWholePatch(output) ? '' : diffList(output)}${leftOutLines(output)}${output.patch}${output.next_cursor === null ? '' : `\n[patch goes on: cursor ${output.next_cursor}, ${output.patch_bytes} bytes in all]\n`}`,
  // What is piped into git apply is the patch alone.
  renderCommand: (output) =>
    output.patch_bytes > 0 || !output.changed
      ? { stdout: output.patch, stderr: leftOutLines(output) }
      : { stdout: diffList(output), stderr: leftOutLines(output) },
});

interface DiffList {
  readonly changed: boolean;
  readonly entries: readonly z.infer<typeof diffEntrySchema>[];
  readonly entries_truncated: boolean;
  readonly summary: Readonly<Record<string, number>>;
  readonly system_changes: readonly z.infer<typeof entrySchema>[] | null;
}

/** What is not in the patch, so that nobody takes it for all there is. */
function leftOutLines(output: {
  readonly ignored: z.infer<typeof ignoredSchema>;
  readonly left_out: readonly { readonly path: string; readonly reason: string }[];
  readonly left_out_count: number;
}): string {
  const lines = output.left_out.map(({ path, reason }) => `[left out of the patch: ${visible(path)}: ${reason}]\n`);
  const more = output.left_out_count - output.left_out.length;
  if (more > 0) lines.push(`[and ${more} more]\n`);
  return `${lines.join('')}${ignoredLine(output.ignored)}`;
}

function diffList(output: DiffList): string {
  const system = (output.system_changes ?? []).map(({ path, status }) => `${status} ${visible(path)}\n`).join('');
  if (!output.changed) return `no changes in /workspace\n${system}`;
  const rows = output.entries.map((entry) => [
    entry.status,
    entry.left_out_bytes !== null
      ? formatBytes(entry.left_out_bytes)
      : entry.additions === null
        ? 'binary'
        : `+${entry.additions} -${entry.deletions ?? 0}`,
    entry.old_path === null ? entry.path : `${entry.old_path} -> ${entry.path}`,
  ]);
  const { total = 0, text_patched: _, non_text: other = 0, ...kinds } = output.summary;
  const counts = Object.entries({ ...kinds, 'not text': other })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`);
  return `${formatTable(rows)}\n${output.entries_truncated ? '… more entries: raise entry_limit\n' : ''}${formatCount(total, 'change', 'changes')}: ${counts.join(', ')}\n${system}`;
}

export const workspaceExport = defineOperation({
  name: 'workspace.export',
  title: 'Export to the host',
  summary: 'Copy a file or a folder of a workspace to the host',
  details:
    'As files, as a tar archive, or as the patch against the seed. It appears whole; an existing path is refused unless overwrite is given. Modes and links are kept, .git is left out unless asked for.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: core, silentFields: ['workspace_id'] },
  hostPathFields: ['output_path'],
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: z.string().min(1).max(4096).default('/workspace').describe('File or folder in the guest'),
    output_path: z.string().min(1).max(4096).describe('Path on the host'),
    format: z.enum(['files', 'tar', 'patch']).default('files').describe('What is written'),
    overwrite: z.boolean().default(false).describe('Replace what stands at output_path'),
    include_git: z.boolean().default(false).describe('Take .git along'),
    include_ignored: includeIgnoredField,
  }),
  output: z.object({
    workspace_id: z.string(),
    workspace_path: z.string(),
    output_path: z.string(),
    format: z.string(),
    artifact_type: z.string(),
    entry_count: z.number(),
    bytes_written: z.number(),
    skipped: z.array(entrySchema).describe('Entries that cannot stand on the host, with the reason'),
    ignored: ignoredSchema,
    execution_mode: z.literal('guest'),
  }),
  examples: [{ why: 'A result', command: 'pyro workspace export 6f1e538c0e71 dist --output-path ./dist' }],
  run: async (context, input) => ({
    ...(await workspacesOf(context).export(
      input.workspace_id,
      {
        path: input.path,
        outputPath: input.output_path,
        format: input.format,
        isOverwrite: input.overwrite,
        hasGit: input.include_git,
        hasIgnored: input.include_ignored,
      },
      context,
    )),
    execution_mode: 'guest' as const,
  }),
  render: (output) =>
    `${output.workspace_path} -> ${output.output_path}: ${output.artifact_type}, ${formatCount(output.entry_count, 'entry', 'entries')}, ${formatBytes(output.bytes_written)}\n${output.skipped.map(({ path, status }) => `left out ${visible(path)}: ${status}\n`).join('')}${ignoredLine(output.ignored)}`,
  renderModel: exportedText,
});

export const workspaceSyncPush = defineOperation({
  name: 'workspace.sync.push',
  title: 'Push files of the host',
  summary: 'Bring newer files of the host into a workspace',
  details:
    'Only differences travel, and all of a call or nothing of it. With delete, files of the guest that the source no longer has go away. The diff shows what was pushed as changes.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core, silentFields: ['workspace_id'] },
  hostPathFields: ['source_path'],
  findsWorkspace: true,
  positionals: ['workspace_id', 'source_path'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    source_path: z.string().min(1).max(4096).describe('File, folder, checkout or tar archive of the host'),
    dest: z.string().min(1).max(4096).default('/workspace').describe('Folder in the guest'),
    delete: z.boolean().default(false).describe('Remove what the source does not have'),
    dry_run: z.boolean().default(false).describe('Only say what would change'),
  }),
  output: z.object({
    workspace_id: z.string(),
    execution_mode: z.literal('guest'),
    workspace_sync: z.object({
      mode: z.string(),
      source_path: z.string(),
      destination: z.string(),
      entry_count: z.number(),
      written_count: z.number(),
      deleted_count: z.number(),
      bytes_written: z.number(),
      dry_run: z.boolean(),
      changes: z.array(entrySchema),
      changes_truncated: z.boolean(),
    }),
  }),
  examples: [{ why: 'After an edit on the host', command: 'pyro workspace sync push 6f1e538c0e71 .' }],
  run: async (context, input) => ({
    ...(await workspacesOf(context).syncPush(
      input.workspace_id,
      {
        sourcePath: input.source_path,
        destination: input.dest,
        isDelete: input.delete,
        isDryRun: input.dry_run,
      },
      context,
    )),
    execution_mode: 'guest' as const,
  }),
  render: ({ workspace_sync: sync }) =>
    `${sync.dry_run ? 'would write' : 'wrote'} ${sync.written_count} of ${formatCount(sync.entry_count, 'entry', 'entries')} (${formatBytes(sync.bytes_written)}), deleted ${sync.deleted_count}\n${sync.changes.map(({ path, status }) => `${status} ${visible(path)}\n`).join('')}${sync.changes_truncated ? '…\n' : ''}`,
});
