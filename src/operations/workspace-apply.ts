// workspace.apply: the changes of a workspace into the checkout that it came from.

import { applyInput, applyOutput } from '../contract/changes.ts';
import { formatCount, formatIgnored } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceApply = defineOperation({
  name: 'workspace.apply',
  title: 'Bring the changes home',
  summary: 'Apply the changes of a workspace to the checkout it was created from',
  details:
    'All or nothing: a file that was also changed on the host is a conflict and is named, unless both changes fit, as in git apply. With --3way both are merged, with conflict markers where they touch the same lines. Changes already there are left alone. New files that Git ignores are left out unless asked for.',
  effect: 'destroy',
  place: 'daemon',
  hostPathFields: ['to'],
  short: 'apply',
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: applyInput,
  output: applyOutput,
  examples: [
    { why: 'Bring the work home', command: 'pyro workspace apply 6f1e538c0e71' },
    { why: 'What would it do?', command: 'pyro workspace apply 6f1e538c0e71 --check' },
    { why: 'Merge with my own changes', command: 'pyro workspace apply 6f1e538c0e71 --3way' },
  ],
  run: async (context, input) => await workspacesOf(context).apply(input, context),
  render: (output) => {
    const { changed_count: count, already_count: already, conflict_count: conflicts, target_path: target } = output;
    const lines = output.changes.map(({ path, status }) => `${status} ${visible(path)}\n`);
    if (output.changes_truncated) lines.push(`… ${count - output.changes.length} more\n`);
    const would = output.checked_only ? 'would go into' : 'into';
    if (count === 0 && already === 0) lines.push('no changes to bring home\n');
    else lines.push(`${formatCount(count, 'file')} ${would} ${target}, +${output.additions} -${output.deletions}\n`);
    if (already > 0) lines.push(`${formatCount(already, 'file was', 'files were')} already there\n`);
    if (conflicts > 0)
      lines.push(`${formatCount(conflicts, 'file has', 'files have')} conflict markers: look for <<<<<<<\n`);
    if (output.ignored.files > 0)
      lines.push(`ignored: ${formatIgnored(output.ignored)}; --include-ignored includes them\n`);
    for (const { path, reason } of output.left_out) lines.push(`left out ${visible(path)}: ${reason}\n`);
    return lines.join('');
  },
  exitCode: ({ conflict_count: conflicts }) => (conflicts > 0 ? 1 : 0),
});
