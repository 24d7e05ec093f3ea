// The workspace that a command without one means: the only one that came from the folder where it is called.
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { formatTable } from '../shared/table.ts';
import type { CallOperation } from './define.ts';

const listedSchema = z.object({
  workspaces: z.array(
    z.object({ workspace_id: z.string(), name: z.string().nullable(), state: z.string(), environment: z.string() }),
  ),
});

/** So many are shown when several came from the folder */
const mostShown = 20;

export interface WorkspaceHere {
  readonly id: string;
  readonly name: string | null;
}

/** Throws `usage` if none came from the folder, `workspace_ambiguous` where several did. */
export async function findWorkspaceHere(
  folder: string,
  call: CallOperation,
  signal: AbortSignal,
): Promise<WorkspaceHere> {
  const { workspaces } = listedSchema.parse(await call('workspace.list', { folder, limit: mostShown }, signal));
  const [first, ...others] = workspaces;
  if (first === undefined) {
    throw new PyroError('usage', `no workspace was named, and none was created from ${folder}`, {
      hint: `name one by its id or name, which ${hintCall('workspace.list')} shows, or create one: ${hintCall('workspace.create')}`,
    });
  }
  if (others.length === 0) return { id: first.workspace_id, name: first.name };
  const rows = workspaces.map((each) => [each.workspace_id, each.name ?? '-', each.state, each.environment]);
  throw new PyroError('workspace_ambiguous', `several workspaces were created from ${folder}:\n${formatTable(rows)}`, {
    hint: 'name one of them by its id or name',
    details: { candidates: workspaces.map((each) => each.workspace_id) },
  });
}
