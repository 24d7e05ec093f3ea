// workspace.delete, prune: the end of workspaces, and what goes with them.

import type { z } from 'zod';
import { deleteInput, deleteOutput, pruneInput, pruneOutput, type unsavedSchema } from '../contract/workspaces.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { core, formatWork, workspacesOf } from './workspace-scalars.ts';

export const workspaceDelete = defineOperation({
  name: 'workspace.delete',
  title: 'Delete a workspace',
  summary: 'Delete a workspace with everything in it',
  details:
    'This cannot be undone: bring home what you need first. On a terminal you are asked if work that was not brought home would be lost.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: core, hiddenFields: ['force', 'dry_run'] },
  short: 'rm',
  takesSeveral: true,
  positionals: ['workspace_id'],
  input: deleteInput,
  output: deleteOutput,
  examples: [
    { why: 'Delete it', command: 'pyro workspace delete 6f1e538c0e71' },
    { why: 'What would be lost?', command: 'pyro rm --dry-run 6f1e538c0e71' },
  ],
  run: async (context, input) => await workspacesOf(context).delete(input, context),
  question: ({ workspace_id: id, not_brought_home: work }) => {
    if (work?.files === 0) return undefined;
    const what = work === null ? 'its contents are unknown' : `${formatWork(work)} not brought home`;
    return `${id}: ${what}\nDelete it?`;
  },
  render: ({ workspace_id: id, deleted, not_brought_home: work }) => {
    if (!deleted) return `would delete ${id}; ${work === null ? 'its contents are unknown' : formatWork(work)}\n`;
    return `deleted ${id}${lostWork(work)}\n`;
  },
  renderModel: ({ deleted, not_brought_home: work }) =>
    deleted
      ? `deleted${lostWork(work)}\n`
      : `would delete it; ${work === null ? 'its contents are unknown' : formatWork(work)}\n`,
});

function lostWork(work: z.infer<typeof unsavedSchema> | null): string {
  return work === null || work.files === 0 ? '' : `; ${formatWork(work)} had not been brought home`;
}

export const workspacePrune = defineOperation({
  name: 'workspace.prune',
  title: 'Delete many workspaces',
  summary: 'Delete stopped workspaces, except those with work that was not brought home',
  details:
    'Work is home once apply, or an export of all of /workspace, has brought it, and nothing has changed since. Workspaces with other work, and those whose work is unknown (damaged, or ended by a crash), stay unless --force is given. On a terminal you are asked first. Apart from delete, nothing else ever deletes a workspace.',
  effect: 'destroy',
  place: 'daemon',
  positionals: [],
  input: pruneInput,
  output: pruneOutput,
  examples: [
    { why: 'Free some space', command: 'pyro workspace prune' },
    { why: 'What would it do?', command: 'pyro workspace prune --dry-run' },
  ],
  run: async (context, input) => await workspacesOf(context).prune(input, context),
  question: (preview) => {
    const { length } = preview.deleted;
    return length === 0 ? undefined : `${pruneText(preview)}Delete ${formatCount(length, 'workspace')}?`;
  },
  render: (output) => pruneText(output),
});

function pruneText({ freed_bytes: freed, dry_run: isDryRun, ...which }: z.infer<typeof pruneOutput>): string {
  return `${describePruned({ ...which, dry_run: isDryRun })}${isDryRun ? 'would free' : 'freed'} ${formatBytes(freed)}\n`;
}

/** A line for each workspace that goes, or stays for the work in it. */
export function describePruned({
  deleted,
  kept,
  dry_run: isDryRun,
}: Omit<z.infer<typeof pruneOutput>, 'freed_bytes'>): string {
  const lines = deleted.map((id) => `${isDryRun ? 'would delete' : 'deleted'} ${id}\n`);
  for (const { workspace_id: id, name, is_known: isKnown, ...work } of kept)
    lines.push(
      `kept ${id}${name === null ? '' : ` (${visible(name)})`}: ${isKnown ? `${formatWork(work)} not brought home` : 'its contents are unknown'}\n`,
    );
  if (kept.length > 0) lines.push('pyro apply ID brings the work home; pyro workspace prune --force deletes it\n');
  return lines.join('');
}
