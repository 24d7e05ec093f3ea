// Workspaces in an input: named by id, beginning or name; the engine finds the one that is meant.
import type { AnyOperation } from './define.ts';

/** The fields that name a workspace, of every operation */
const fields = ['workspace_id', 'vm_id'] as const;

/** The field of an operation that names its workspace. */
export function workspaceFieldOf({ definition }: Pick<AnyOperation, 'definition'>): string | undefined {
  return fields.find((field) => field in definition.input.shape);
}
