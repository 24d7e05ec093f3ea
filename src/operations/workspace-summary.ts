// workspace.summary: what happened in a workspace, fit for a pull request.
import { z } from 'zod';
import { defineOperation } from './define.ts';
import { diffEntrySchema, ignoredSchema } from './workspace-change.ts';
import { lastCommandSchema, workspaceIdField, workspacesOf } from './workspace-scalars.ts';

export const workspaceSummary = defineOperation({
  name: 'workspace.summary',
  title: 'Summary of the work',
  summary: 'Sum up what happened in a workspace since its last reset',
  details:
    'Commands with exit codes and times, files with lines added and deleted, exports, refused connections. Markdown fits a pull request.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: ['workspace-core', 'workspace-full'], isIdempotent: true },
  commandDefaults: { format: 'markdown' },
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    format: z.enum(['json', 'markdown']).default('markdown').describe('How the text is written'),
  }),
  output: z.object({
    workspace_id: z.string(),
    name: z.string().nullable(),
    since: z.number(),
    outcome: z.string(),
    commands: z.array(lastCommandSchema),
    command_count: z.number(),
    failed_count: z.number(),
    files: z.array(diffEntrySchema),
    file_count: z.number(),
    additions: z.number(),
    deletions: z.number(),
    ignored: ignoredSchema,
    left_out: z.array(z.object({ path: z.string(), reason: z.string() })),
    exports: z.array(z.string()),
    snapshots: z.array(z.string()),
    resets: z.number(),
    denied_connections: z.array(z.object({ target: z.string(), reason: z.string(), count: z.number() })),
    markdown: z.string(),
    format: z.enum(['json', 'markdown']),
  }),
  examples: [{ why: 'For a pull request', command: 'pyro workspace summary 6f1e538c0e71' }],
  run: async (context, { workspace_id: id, format }) => ({
    ...(await workspacesOf(context).summary(id, context)),
    format,
  }),
  render: (output) => {
    if (output.format === 'markdown') return output.markdown;
    const { markdown: _, ...data } = output;
    return `${JSON.stringify(data, null, 2)}\n`;
  },
});
