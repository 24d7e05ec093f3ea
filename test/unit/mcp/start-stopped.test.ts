// A call on a stopped workspace, in a profile whose model could not start it.
import { describe, expect, it } from 'vitest';
import { callTool } from '../../../src/mcp/call.ts';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { openHouse } from '../../../src/mcp/house.ts';
import { operations } from '../../../src/operations/index.ts';
import { PyroError } from '../../../src/shared/errors.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';

const id = '6f1e538c0e71';

/** What was invoked by a read of a file, in a workspace that is stopped, and the text of the answer. */
async function readIn(profile: string): Promise<{ invoked: string[]; text: string }> {
  const invoked: string[] = [];
  const house = openHouse({
    options: serverOptionsSchema.parse({ profile, no_project_source: true }),
    version: '0',
    catalogue: factsOf(operations),
    operations: async () => operations,
    signal: new AbortController().signal,
    invoke: async (operation, input) => {
      invoked.push(operation.definition.name);
      expect(input).toMatchObject({ workspace_id: id });
      if (invoked.length === 1) throw new PyroError('workspace_stopped', `workspace ${id} was stopped`);
      return { output: {}, text: 'the content\n', command: { stdout: '' }, ids: [], exitCode: 0 };
    },
  });
  const entry = house.tools.find(({ name }) => name === 'workspace_file_read');
  if (entry === undefined) throw new Error('the profile reads no files');
  const { content } = await callTool(house, {
    entry,
    args: { workspace_id: id, path: 'a' },
    audience: 'model',
    signal: new AbortController().signal,
    onProgress: () => undefined,
    roots: [],
  });
  return { invoked, text: content.map((block) => (block.type === 'text' ? block.text : '')).join('') };
}

describe('a call on a stopped workspace', () => {
  it('starts it, and says so, where there is no tool for that', async () => {
    const { invoked, text } = await readIn('workspace-core');
    expect(invoked).toEqual(['workspace.file.read', 'workspace.start', 'workspace.file.read']);
    expect(text).toMatch(/^note: the workspace was stopped.*\nthe content\n$/);
  });

  it('is told where there is one', async () => {
    const { invoked, text } = await readIn('workspace-full');
    expect(invoked).toEqual(['workspace.file.read']);
    expect(text).toContain('workspace_start');
  });
});
