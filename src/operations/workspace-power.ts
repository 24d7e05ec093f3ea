// workspace.start, stop, prune: guests on and off, and the removal of many workspaces at once.
import { z } from 'zod';
import { formatBytes } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import {
  formatWork,
  toldFields,
  unsavedSchema,
  workspaceIdField,
  workspaceSchema,
  workspacesOf,
} from './workspace-scalars.ts';

export const workspaceStart = defineOperation({
  name: 'workspace.start',
  title: 'Start a workspace',
  summary: 'Start the guest of a stopped workspace from its disk',
  details: 'One that runs already stays as it is. After an idle stop any call starts it by itself.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], isIdempotent: true, isData: true, silentFields: toldFields },
  short: 'start',
  findsWorkspace: true,
  takesSeveral: true,
  positionals: ['workspace_id'],
  input: z.strictObject({ workspace_id: workspaceIdField }),
  output: workspaceSchema,
  examples: [{ why: 'On again', command: 'pyro workspace start 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).start(input.workspace_id, context),
  render: ({ workspace_id: id, state }) => `${id}: ${state}\n`,
});

export const workspaceStop = defineOperation({
  name: 'workspace.stop',
  title: 'Stop a workspace',
  summary: 'Sync and stop the guest of a workspace',
  details: 'Its disk stays, its processes end. Only start brings it back after that.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], isIdempotent: true, isData: true, silentFields: toldFields },
  short: 'stop',
  findsWorkspace: true,
  takesSeveral: true,
  positionals: ['workspace_id'],
  input: z.strictObject({ workspace_id: workspaceIdField }),
  output: workspaceSchema,
  examples: [{ why: 'Off, to have its memory back', command: 'pyro workspace stop 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).stop(input.workspace_id, context),
  render: ({ workspace_id: id, state }) => `${id}: ${state}\n`,
});

export const workspacePrune = defineOperation({
  name: 'workspace.prune',
  title: 'Delete many workspaces',
  summary: 'Delete the workspaces that are stopped, but for those with work that was not brought home',
  details:
    'Work is home when apply, or an export of all of /workspace, has brought it, and nothing has changed since. Those with other work, and those of which nobody knows (damaged, or ended by a crash), stay unless --force is given. Nothing else ever deletes a workspace but delete.',
  effect: 'destroy',
  place: 'daemon',
  positionals: [],
  input: z.strictObject({
    all: z.boolean().default(false).describe('Delete those that run, too'),
    force: z.boolean().default(false).describe('Delete also what was not brought home'),
    dry_run: z.boolean().default(false).describe('Say what would be deleted, and delete nothing'),
  }),
  output: z.object({
    deleted: z.array(z.string()),
    kept: z.array(
      unsavedSchema.extend({ workspace_id: z.string(), name: z.string().nullable(), is_known: z.boolean() }),
    ),
    freed_bytes: z.number(),
    dry_run: z.boolean(),
  }),
  examples: [
    { why: 'Make room', command: 'pyro workspace prune' },
    { why: 'What would it do?', command: 'pyro workspace prune --dry-run' },
  ],
  run: async (context, { all, force, dry_run: isDryRun }) =>
    await workspacesOf(context).prune(
      { states: all ? ['started', 'stopped', 'damaged'] : ['stopped', 'damaged'], isForced: force, isDryRun },
      context,
    ),
  render: ({ deleted, kept, freed_bytes: freed, dry_run: isDryRun }) => {
    const lines = deleted.map((id) => `${isDryRun ? 'would delete' : 'deleted'} ${id}\n`);
    for (const { workspace_id: id, name, is_known: isKnown, ...work } of kept)
      lines.push(
        `kept ${id}${name === null ? '' : ` (${visible(name)})`}: ${isKnown ? `${formatWork(work)} not brought home` : 'nobody knows what it holds'}\n`,
      );
    if (kept.length > 0) lines.push('pyro workspace apply ID brings the work home; --force deletes it\n');
    return `${lines.join('')}${isDryRun ? 'would free' : 'freed'} ${formatBytes(freed)}\n`;
  },
});
