// Which workspace a command means that names none.
import { expect, it } from 'vitest';
import { findWorkspaceHere } from '../../../src/operations/workspace-here.ts';

const one = { workspace_id: '6f1e538c0e71', name: 'bug', state: 'started', environment: 'debian:12' };
const other = { workspace_id: 'c7cd34864680', name: null, state: 'stopped', environment: 'node:24' };

async function find(...workspaces: (typeof one | typeof other)[]): Promise<unknown> {
  return await findWorkspaceHere('/src/app', async () => ({ workspaces }), new AbortController().signal);
}

it('the only one that came from the folder', async () => {
  expect(await find(one)).toEqual({ id: '6f1e538c0e71', name: 'bug' });
});

it('none is told with the folder', async () => {
  await expect(find()).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('/src/app') });
});

it('several are listed, and none is taken', async () => {
  await expect(find(one, other)).rejects.toMatchObject({
    code: 'workspace_ambiguous',
    message: expect.stringMatching(/6f1e538c0e71 .*\n.*c7cd34864680/),
    details: { candidates: ['6f1e538c0e71', 'c7cd34864680'] },
  });
});
