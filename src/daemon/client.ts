// The way from a front to an operation: in this process, or in the daemon that owns the guests.
import type { RunIo } from '../contract/call.ts';
import type { CallBody } from '../contract/frames.ts';
import type { AnyOperation, CallOperation, OperationContext, Outcome } from '../operations/define.ts';
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { noLongerWaiting } from '../shared/leaving.ts';
import type { callDaemonLive, LiveCall } from './live-client.ts';
import type { DaemonProgram } from './program.ts';
import { type CallerContext, longestBody } from './protocol.ts';

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
  const { name, place, isLive } = operation.definition;
  if (place === 'daemon' && isLive === true && context.io !== undefined) {
    const { callDaemonLive } = await import('./live-client.ts');
    const call = { body: callBody(program, name, input, context), io: context.io, follows: false };
    const result = await callDaemonLive(program, call, context);
    return operation.receive('output' in result ? result.output : {});
  }
  if (place === 'daemon') {
    const { callDaemon } = await import('./remote.ts');
    return operation.receive(
      await callDaemon(program, JSON.stringify(callBody(program, name, input, context)), context),
    );
  }
  return await operation.invoke(await ownContext(program, context), input);
}

/** Loads what a call of the daemon needs, so that the first one need not wait for it. Touches nothing. */
export async function loadCalls(): Promise<void> {
  await Promise.all([import('./program.ts'), import('./remote.ts')]);
}

/** Shows live what an operation of the daemon gives, until it is over or the caller leaves; gives the last line. */
export async function followOperation(
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  context: FrontContext,
): Promise<string> {
  const { defaultProgram } = await import('./program.ts');
  const { name, place, followsInDaemon } = operation.definition;
  if (operation.follow === undefined) throw new Error(`${name} cannot be followed`);
  if (place === 'daemon' && followsInDaemon === true && context.io !== undefined) {
    const { callDaemonLive } = await import('./live-client.ts');
    const program = defaultProgram();
    const call = { body: callBody(program, name, input, context), io: context.io };
    return await followLive(callDaemonLive, program, call, context);
  }
  return await operation.follow(await ownContext(defaultProgram(), context), input);
}

/** Leaving is how a follow ends, as a rule, and no failure. */
async function followLive(
  callLive: typeof callDaemonLive,
  program: DaemonProgram,
  call: Omit<LiveCall, 'follows'>,
  context: FrontContext,
): Promise<string> {
  const leaving = new AbortController();
  const leave = (): void => leaving.abort(noLongerWaiting('left'));
  const release = call.io.onStarted({ signal: leave, resize: () => undefined });
  const io = { ...call.io, onStarted: () => () => undefined };
  const signal = AbortSignal.any([context.signal, leaving.signal]);
  try {
    const result = await callLive(program, { ...call, io, follows: true }, { ...context, signal });
    return 'followed' in result ? result.followed : '';
  } catch (error) {
    if (leaving.signal.aborted && !context.signal.aborted) return '[left] the work keeps running\n';
    throw error;
  } finally {
    release();
  }
}

/** What an operation needs that runs in this process. */
async function ownContext(program: DaemonProgram, context: FrontContext): Promise<OperationContext> {
  const { createControl } = await import('./control.ts');
  const { createLocalEngine } = await import('../engine/local-engine.ts');
  const call: CallOperation = async (name, more, signal) => {
    const { callDaemon } = await import('./remote.ts');
    return await callDaemon(program, JSON.stringify(callBody(program, name, more, context)), { ...context, signal });
  };
  return { ...context, engine: createLocalEngine(), daemon: createControl(program), call };
}

/** A call as the daemon takes it. Throws `usage` for one that is too long. */
export function callBody(
  program: DaemonProgram,
  operation: string,
  input: Readonly<Record<string, unknown>>,
  { hostPaths, project, network }: CallerContext,
): CallBody {
  const call: CallBody = {
    operation,
    input: { ...input },
    context: {
      host_paths: hostPaths === 'any' ? 'any' : { folders: [...hostPaths.folders] },
      project: project === undefined ? null : { ...project, includes: [...project.includes] },
      network:
        network === undefined
          ? null
          : { policy: network.policy, allow: [...network.allow], packageSources: network.packageSources },
      front: { version: program.version, pid: process.pid },
    },
  };
  if (Buffer.byteLength(JSON.stringify(call)) > longestBody) {
    throw new PyroError('usage', `the input has more than ${longestBody} bytes`, {
      hint: `send large content in pieces, or as a file with: ${hintCall('workspace.sync.push')}`,
    });
  }
  return call;
}
