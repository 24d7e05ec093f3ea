// workspace.list: what there is.

import { listInput, listOutput } from '../contract/workspaces.ts';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { core, stateText, workspacesOf } from './workspace-scalars.ts';

export const workspaceList = defineOperation({
  name: 'workspace.list',
  title: 'List workspaces',
  summary: 'List workspaces, most recently active first',
  details: 'A damaged one, whose record cannot be read, is listed and can be deleted.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, isData: true, hiddenFields: ['folder'] },
  hostPathFields: ['folder'],
  short: 'ps',
  positionals: [],
  input: listInput,
  output: listOutput,
  examples: [
    { why: 'What there is', command: 'pyro workspace list' },
    { why: 'Those created from the checkout in this folder', command: 'pyro ps --folder .' },
    {
      why: 'Delete all of one task',
      command: 'pyro workspace list --label task=42 --quiet | xargs pyro rm',
    },
  ],
  run: async (context, input) => await workspacesOf(context).list(input),
  ids: ({ workspaces }) => workspaces.map(({ workspace_id: id }) => id),
  render: ({ workspaces, next_cursor }, width) => {
    if (workspaces.length === 0) return 'no workspaces; create one with: pyro create\n';
    const rows = workspaces.map((each) => [
      each.workspace_id,
      stateText(each.state, each.state === 'paused' ? each.state_reason : null),
      each.environment,
      each.name ?? '-',
      new Date(each.last_activity_at * 1000).toISOString().slice(0, 19).replace('T', ' '),
      String(each.command_count),
      Object.entries(each.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ') || '-',
    ]);
    const more = next_cursor === null ? '' : `more: cursor ${next_cursor}\n`;
    const head = ['ID', 'STATE', 'ENVIRONMENT', 'NAME', 'LAST ACTIVITY (UTC)', 'COMMANDS', 'LABELS'];
    return `${formatTable([head, ...rows], width)}\n${more}`;
  },
});
