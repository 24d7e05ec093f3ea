// Fields that only the command line has: a tool neither shows nor takes them.
import { expect, it } from 'vitest';
import { callTool } from '../../../src/mcp/call.ts';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { openServerState } from '../../../src/mcp/server-state.ts';
import { operations } from '../../../src/operations/index.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';
import { errorOf } from '../../support/mcp.ts';

const state = openServerState({
  options: serverOptionsSchema.parse({ profile: 'workspace-full', no_project_source: true }),
  version: '0',
  catalogue: factsOf(operations),
  operations: async () => operations,
  signal: new AbortController().signal,
  invoke: async () => {
    throw new Error('nothing is called');
  },
});
const hidden = state.tools.flatMap((entry) =>
  (entry.facts.tool.hiddenFields ?? []).map((field) => ({ entry, field, name: entry.name })),
);

it('refuses what only the command line has', async () => {
  expect(hidden.map(({ name, field }) => `${name} ${field}`)).toContain('workspace_disk_export include_secrets');
  for (const { entry, field, name } of hidden) {
    const args = { workspace_id: '6f1e538c0e71', output_path: '/tmp/x', [field]: field === 'folder' ? '/' : true };
    const request = {
      entry,
      audience: 'model' as const,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    };
    const { report } = errorOf(await callTool(state, { ...request, args, roots: [] }));
    expect(report.code, `${name} ${field}`).toBe('usage');
    expect(report.message).toContain(field);
    expect(entry.inputSchema.properties[field]).toBeUndefined();
  }
});
