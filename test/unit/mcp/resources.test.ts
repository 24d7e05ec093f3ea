// Addresses of resources: what is called for each, and what comes of the result.
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { resourceCall } from '../../../src/mcp/resources.ts';
import { selectTools } from '../../../src/mcp/tools.ts';
import { operations } from '../../../src/operations/index.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';

const tools = selectTools(factsOf(operations), serverOptionsSchema.parse({}));
const id = '6f1e538c0e71';

function read(uri: string, output: Readonly<Record<string, unknown>>) {
  const call = resourceCall(uri, tools);
  const result = call?.result({
    output,
    text: '',
    command: () => ({ stdout: '' }),
    ids: [],
    question: undefined,
    exitCode: 0,
  });
  return { operation: call?.entry.facts.operation, input: call?.input, content: result?.contents[0] };
}

describe('an address', () => {
  it('of a diff gives the patch', () => {
    expect(read(`pyro://workspaces/${id}/diff`, { patch: 'diff --git' })).toMatchObject({
      operation: 'workspace.diff',
      input: { workspace_id: id },
      content: { text: 'diff --git', mimeType: 'text/x-diff' },
    });
  });

  it('of a log gives one stream of one command', () => {
    const output = { entries: [{ stdout: 'out', stderr: 'err' }] };
    expect(read(`pyro://workspaces/${id}/logs/3/stderr`, output)).toMatchObject({
      operation: 'workspace.logs',
      input: { workspace_id: id, sequence: 3, stream: 'stderr' },
      content: { text: 'err' },
    });
  });

  it('of a file gives text, or what is no text as it is, by a path that may have any character', () => {
    expect(read(`pyro://workspaces/${id}/files/a%20b/%C3%A4.txt`, { content: 'x', encoding: 'utf-8' })).toMatchObject({
      input: { path: 'a b/ä.txt' },
      content: { text: 'x', mimeType: 'text/plain' },
    });
    expect(read(`pyro://workspaces/${id}/files/x.png`, { content: 'AAEC', encoding: 'base64' }).content).toMatchObject({
      blob: 'AAEC',
    });
  });

  it.each([`pyro://workspaces/${id}`, `pyro://workspaces/${id}/logs/x/stdout`, 'file:///etc/passwd', ''])(
    '%s is of no kind',
    (uri) => expect(resourceCall(uri, tools)).toBeUndefined(),
  );

  it('of a kind whose tool the server lacks is of no kind', () => {
    const few = selectTools(factsOf(operations), serverOptionsSchema.parse({ profile: 'vm-run' }));
    expect(resourceCall(`pyro://workspaces/${id}/diff`, few)).toBeUndefined();
  });

  it('asks for nothing that the operation refuses', () => {
    for (const uri of [
      `pyro://workspaces/${id}/diff`,
      `pyro://workspaces/${id}/logs/3/stdout`,
      `pyro://workspaces/${id}/files/a`,
    ]) {
      const call = resourceCall(uri, tools);
      const operation = operations.find(({ definition }) => definition.name === call?.entry.facts.operation);
      expect(operation?.definition.input.safeParse(call?.input).success).toBe(true);
    }
  });
});
