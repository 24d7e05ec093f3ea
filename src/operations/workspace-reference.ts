// Workspaces in an input: named by id, beginning or name, and made ids at one place, before the operation runs.
import type { AnyOperation } from './define.ts';

/** The fields that name a workspace, of every operation */
const fields = ['workspace_id', 'vm_id'] as const;

/** The field of an operation that names its workspace. */
export function workspaceFieldOf({ definition }: Pick<AnyOperation, 'definition'>): string | undefined {
  return fields.find((field) => field in definition.input.shape);
}

/** The input with the id in place of what the caller gave. Throws as `find` does. */
export function withWorkspaceId(
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  find: (reference: string) => string,
): Readonly<Record<string, unknown>> {
  const field = workspaceFieldOf(operation);
  const given = field === undefined ? undefined : input[field];
  return field !== undefined && typeof given === 'string' ? { ...input, [field]: find(given) } : input;
}
