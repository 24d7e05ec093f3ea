// workspace.list: what there is.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { core, workspacesOf } from './workspace-scalars.ts';

export const workspaceList = defineOperation({
  name: 'workspace.list',
  title: 'List workspaces',
  summary: 'List workspaces, newest activity first',
  details: 'A damaged one, whose record cannot be read, is shown and can be deleted.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, isData: true, hiddenFields: ['folder'] },
  hostPathFields: ['folder'],
  short: 'ps',
  positionals: [],
  input: z.strictObject({
    label: z.string().optional().describe('Only those with this label, K or K=V'),
    state: z.enum(['started', 'stopped', 'damaged']).optional().describe('Only those in this state'),
    folder: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .describe('Only those that came from this folder of the host, or the checkout around it'),
    limit: z.number().int().min(1).max(500).default(50).describe('Most workspaces in the result'),
    cursor: z.string().optional().describe('next_cursor of an earlier call'),
  }),
  output: z.object({
    count: z.number(),
    workspaces: z.array(
      z.object({
        workspace_id: z.string(),
        name: z.string().nullable(),
        labels: z.record(z.string(), z.string()),
        environment: z.string(),
        state: z.enum(['started', 'stopped', 'damaged']),
        created_at: z.number(),
        last_activity_at: z.number(),
        expires_at: z.number().nullable(),
        command_count: z.number(),
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  examples: [
    { why: 'What there is', command: 'pyro workspace list' },
    { why: 'What came from the checkout in this folder', command: 'pyro ps --folder .' },
    {
      why: 'Delete all of one task',
      command: 'pyro workspace list --label task=42 --quiet | xargs pyro rm',
    },
  ],
  run: async (context, { label, state, folder, limit, cursor }) => {
    const listed = await workspacesOf(context).list({ label, state, folder, limit, cursor }, context);
    return { count: listed.workspaces.length, ...listed };
  },
  ids: ({ workspaces }) => workspaces.map(({ workspace_id: id }) => id),
  render: ({ workspaces, next_cursor }, width) => {
    if (workspaces.length === 0) return 'no workspaces; make one with: pyro create\n';
    const rows = workspaces.map((each) => [
      each.workspace_id,
      each.state,
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
