// The way from a front to an operation: in this process, or in the daemon that owns the guests.
import type { RunIo } from '../engine/engine-types.ts';
import type { AnyOperation, CallOperation, Outcome } from '../operations/define.ts';
import type { CallerContext } from './protocol.ts';

export interface FrontContext extends CallerContext {
  readonly io: RunIo | undefined;
}

/** Runs an operation where it belongs and gives its checked, rendered outcome. */
export async function invokeOperation(
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  context: FrontContext,
): Promise<Outcome> {
  // Loaded on first use: help, version and a list of tools need neither engine nor HTTP.
  const { defaultProgram } = await import('./program.ts');
  const program = defaultProgram();
  if (operation.definition.place === 'daemon') {
    const { callDaemon } = await import('./remote.ts');
    return operation.receive(await callDaemon(program, operation.definition.name, input, context));
  }
  const { createControl } = await import('./control.ts');
  const { createLocalEngine } = await import('../engine/local-engine.ts');
  const call: CallOperation = async (name, more, signal) => {
    const { callDaemon } = await import('./remote.ts');
    return await callDaemon(program, name, more, { ...context, signal });
  };
  const own = { engine: createLocalEngine(), daemon: createControl(program), call };
  return await operation.invoke({ ...context, ...own }, input);
}
