// The way from a front to an operation: in this process, or in the daemon that owns the guests.
import type { RunIo } from '../engine/engine-types.ts';
import type { AnyOperation, CallOperation, OperationContext, Outcome } from '../operations/define.ts';
import type { DaemonProgram } from './program.ts';
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
  return await operation.invoke(await ownContext(program, context), input);
}

/** Shows live what an operation of the daemon gives, until it is over or the caller leaves; gives the last line. */
export async function followOperation(
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  context: FrontContext,
): Promise<string> {
  const { defaultProgram } = await import('./program.ts');
  if (operation.follow === undefined) throw new Error(`${operation.definition.name} cannot be followed`);
  return await operation.follow(await ownContext(defaultProgram(), context), input);
}

/** What an operation needs that runs in this process. */
async function ownContext(program: DaemonProgram, context: FrontContext): Promise<OperationContext> {
  const { createControl } = await import('./control.ts');
  const { createLocalEngine } = await import('../engine/local-engine.ts');
  const call: CallOperation = async (name, more, signal) => {
    const { callDaemon } = await import('./remote.ts');
    return await callDaemon(program, name, more, { ...context, signal });
  };
  return { ...context, engine: createLocalEngine(), daemon: createControl(program), call };
}
