// workspace.summary: what happened in a workspace, fit for a pull request.

import { summaryInput, summaryOutput } from '../contract/changes.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceSummary = defineOperation({
  name: 'workspace.summary',
  title: 'Summary of the work',
  summary: 'Summarize what happened in a workspace since its last reset',
  details:
    'Commands with exit codes and times, files with lines added and deleted, exports, refused connections. Its Markdown suits a pull request.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: ['workspace-core', 'workspace-full'], isIdempotent: true },
  commandDefaults: { format: 'markdown' },
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: summaryInput,
  output: summaryOutput,
  examples: [{ why: 'For a pull request', command: 'pyro workspace summary 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).summary(input, context),
  render: (output) => {
    if (output.format === 'markdown') return output.markdown;
    const { markdown: _, ...data } = output;
    return `${JSON.stringify(data, null, 2)}\n`;
  },
});
