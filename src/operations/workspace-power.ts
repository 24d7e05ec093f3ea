// workspace.start, stop, prune: guests on and off, and the removal of many workspaces at once.
import { z } from 'zod';
import { formatBytes } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { toldFields, workspaceIdField, workspaceSchema, workspacesOf } from './workspace-scalars.ts';

export const workspaceStart = defineOperation({
  name: 'workspace.start',
  title: 'Start a workspace',
  summary: 'Start the guest of a stopped workspace from its disk',
  details: 'One that runs already stays as it is. After an idle stop any call starts it by itself.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], isIdempotent: true, isData: true, silentFields: toldFields },
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
  summary: 'Delete the workspaces that are stopped or damaged',
  details: 'Nothing else ever deletes a workspace but delete.',
  effect: 'destroy',
  place: 'daemon',
  positionals: [],
  input: z.strictObject({ all: z.boolean().default(false).describe('Delete those that run, too') }),
  output: z.object({ deleted: z.array(z.string()), freed_bytes: z.number() }),
  examples: [{ why: 'Make room', command: 'pyro workspace prune' }],
  run: async (context, { all }) =>
    await workspacesOf(context).prune(all ? ['started', 'stopped', 'damaged'] : ['stopped', 'damaged'], context),
  render: ({ deleted, freed_bytes: freed }) =>
    `${deleted.map((id) => `deleted ${id}\n`).join('')}freed ${formatBytes(freed)}\n`,
});
