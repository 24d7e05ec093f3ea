// workspace.start, stop: guests on and off.

import { startInput, stopInput, workspaceSchema } from '../contract/workspaces.ts';
import { defineOperation } from './define.ts';
import { toldFields, workspacesOf } from './workspace-scalars.ts';

export const workspaceStart = defineOperation({
  name: 'workspace.start',
  title: 'Start a workspace',
  summary: 'Start the guest of a stopped workspace from its disk',
  details: 'A running one stays as it is. After an idle stop any call starts it by itself.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], isIdempotent: true, isData: true, silentFields: toldFields },
  short: 'start',
  findsWorkspace: true,
  takesSeveral: true,
  positionals: ['workspace_id'],
  input: startInput,
  output: workspaceSchema,
  examples: [{ why: 'Start it again', command: 'pyro workspace start 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).start(input, context),
  render: ({ workspace_id: id, state }) => `${id}: ${state}\n`,
});

export const workspaceStop = defineOperation({
  name: 'workspace.stop',
  title: 'Stop a workspace',
  summary: 'Sync and stop the guest of a workspace',
  details: 'Its disk stays, its processes end. After that, only start brings it back.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], isIdempotent: true, isData: true, silentFields: toldFields },
  short: 'stop',
  findsWorkspace: true,
  takesSeveral: true,
  positionals: ['workspace_id'],
  input: stopInput,
  output: workspaceSchema,
  examples: [{ why: 'Stop it, to free its memory', command: 'pyro workspace stop 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).stop(input, context),
  render: ({ workspace_id: id, state }) => `${id}: ${state}\n`,
});
