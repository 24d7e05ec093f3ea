// workspace.patch.apply, diff, export, sync.push: changes into a workspace and out of it.

import type { z } from 'zod';
import {
  type diffEntrySchema,
  diffInput,
  diffOutput,
  type entrySchema,
  exportInput,
  exportOutput,
  type ignoredSchema,
  patchApplyInput,
  patchApplyOutput,
  syncPushInput,
  syncPushOutput,
} from '../contract/changes.ts';
import { formatTable } from '../shared/table.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { exportedText, ignoredLine, isWholePatch, patchedText } from './model-texts.ts';
import { core, workspacesOf } from './workspace-scalars.ts';

export const workspacePatchApply = defineOperation({
  name: 'workspace.patch.apply',
  title: 'Apply a patch',
  summary: 'Apply a patch to /workspace',
  details:
    'Takes whatever git diff prints (new, deleted, renamed files, modes, binary), or the *** Begin Patch form. All or nothing; a failure names the hunk and shows the lines there.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core, silentFields: ['workspace_id'] },
  findsWorkspace: true,
  positionals: ['workspace_id'],
  inputField: { field: 'patch', isBase64: false, unless: ['patch'] },
  input: patchApplyInput,
  output: patchApplyOutput,
  examples: [
    { why: 'What changed on the host', command: 'git diff --binary | pyro workspace patch apply 6f1e538c0e71' },
    { why: 'A patch from a file', command: 'pyro workspace patch apply 6f1e538c0e71 < fix.diff' },
  ],
  run: async (context, input) => await workspacesOf(context).patchApply(input, context),
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
    'Its cost depends on what changed, not on the size of the tree. .git, empty folders and new files that Git ignores are left out, the latter counted. A file over max_file_bytes is named but not in the patch. next_cursor is where a long patch continues; stat_only gives only the list; system also lists changes outside /workspace.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, resultChars: 200_000, silentFields: ['workspace_id', 'base'] },
  commandDefaults: { max_bytes: 4_194_304, entry_limit: 100_000, max_file_bytes: 0 },
  pages: { text: 'patch', cursor: 'cursor', next: 'next_cursor', single: ['cursor', 'max_bytes'], isPatch: true },
  short: 'diff',
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: diffInput,
  output: diffOutput,
  examples: [
    { why: 'Bring the work home', command: 'pyro workspace diff 6f1e538c0e71 | git apply --binary' },
    { why: 'Only the list', command: 'pyro workspace diff 6f1e538c0e71 --stat-only' },
  ],
  run: async (context, input) => await workspacesOf(context).diff(input, context),
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
  return `${formatTable(rows)}\n${output.entries_truncated ? '… more entries: raise entry_limit\n' : ''}${formatCount(total, 'change')}: ${counts.join(', ')}\n${system}`;
}

export const workspaceExport = defineOperation({
  name: 'workspace.export',
  title: 'Export to the host',
  summary: 'Copy a file or folder from a workspace to the host',
  details:
    'As files, as a tar archive, or as the patch against the seed. It appears all at once; an existing path is refused unless overwrite is set. Modes and links are kept, .git is left out unless asked for.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: core, silentFields: ['workspace_id'] },
  hostPathFields: ['output_path'],
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: exportInput,
  output: exportOutput,
  examples: [{ why: 'A result', command: 'pyro workspace export 6f1e538c0e71 dist --output-path ./dist' }],
  run: async (context, input) => await workspacesOf(context).export(input, context),
  render: (output) =>
    `${output.workspace_path} -> ${output.output_path}: ${output.artifact_type}, ${formatCount(output.entry_count, 'entry', 'entries')}, ${formatBytes(output.bytes_written)}\n${output.skipped.map(({ path, status }) => `left out ${visible(path)}: ${status}\n`).join('')}${ignoredLine(output.ignored)}`,
  renderModel: exportedText,
});

export const workspaceSyncPush = defineOperation({
  name: 'workspace.sync.push',
  title: 'Push files from the host',
  summary: 'Bring newer files from the host into a workspace',
  details:
    'Only differences are sent, all of them or none. With delete, guest files that the source no longer has are removed. The diff shows what was pushed as changes.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core, silentFields: ['workspace_id'] },
  hostPathFields: ['source_path'],
  findsWorkspace: true,
  positionals: ['workspace_id', 'source_path'],
  input: syncPushInput,
  output: syncPushOutput,
  examples: [{ why: 'After an edit on the host', command: 'pyro workspace sync push 6f1e538c0e71 .' }],
  run: async (context, input) => await workspacesOf(context).syncPush(input, context),
  render: ({ workspace_sync: sync }) =>
    `${sync.dry_run ? 'would write' : 'wrote'} ${sync.written_count} of ${formatCount(sync.entry_count, 'entry', 'entries')} (${formatBytes(sync.bytes_written)}), deleted ${sync.deleted_count}\n${sync.changes.map(({ path, status }) => `${status} ${visible(path)}\n`).join('')}${sync.changes_truncated ? '…\n' : ''}`,
});
