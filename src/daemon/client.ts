// The way from a front to an operation: in this process, or in the daemon that owns the guests.
import type { RunIo } from '../engine/engine-types.ts';
import type { AnyOperation, Outcome } from '../operations/define.ts';
import type { CallContext } from '../shared/call-context.ts';
import { PyroError } from '../shared/errors.ts';
import type { HostPathPolicy, ProjectSource } from '../shared/policy-types.ts';

export interface FrontContext extends CallContext {
  readonly io: RunIo | undefined;
  readonly hostPaths: HostPathPolicy;
  readonly project: ProjectSource | undefined;
}

/** Runs an operation where it belongs and gives its checked, rendered outcome. */
export async function invokeOperation(
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  context: FrontContext,
): Promise<Outcome> {
  if (operation.definition.place === 'daemon') {
    throw new PyroError('internal', `${operation.definition.name} needs the daemon`);
  }
  // Loaded on first use: help and version need no engine.
  const { createLocalEngine } = await import('../engine/local-engine.ts');
  return await operation.invoke({ ...context, engine: createLocalEngine() }, input);
}
