// What the server does itself about a call that failed, where its model could only ask for the same in another way.
import type { FrontContext } from '../daemon/client.ts';
import type { AnyOperation, Outcome } from '../operations/define.ts';
import { isPyroError } from '../shared/errors.ts';
import { cachedEnvironments, standIn } from './cached-environments.ts';
import type { ServerState } from './server-state.ts';

const startOperation = 'workspace.start';
const unobtainable = [
  'registry_unreachable',
  'registry_error',
  'registry_denied',
  'environment_not_installed',
  'environment_build_failed',
] as const;

interface Call {
  readonly operation: AnyOperation;
  readonly input: Readonly<Record<string, unknown>>;
  readonly context: FrontContext;
  /** True when the environment is the server's own choice by the files of the project */
  readonly isChosen: boolean;
}

/** The outcome, with what the caller should know of how it came about. */
export async function invokeTwice(
  state: ServerState,
  { operation, input, context, isChosen }: Call,
): Promise<{ readonly outcome: Outcome; readonly notes: readonly string[] }> {
  try {
    return { outcome: await state.invoke(operation, input, context), notes: [] };
  } catch (error) {
    const { workspace_id: id, environment: wanted } = input;
    if (isPyroError(error, 'workspace_stopped') && id !== undefined && !hasTool(state, startOperation)) {
      await state.invoke(await state.operation(startOperation), { workspace_id: id }, context);
      const outcome = await state.invoke(operation, input, context);
      return { outcome, notes: ['the workspace was stopped and has been started for this call'] };
    }
    if (isChosen && typeof wanted === 'string' && isPyroError(error, ...unobtainable)) {
      const environment = standIn(cachedEnvironments(state.paths.cache), wanted);
      if (environment === undefined) throw error;
      const project = context.project === undefined ? undefined : { ...context.project, environment };
      const outcome = await state.invoke(operation, { ...input, environment }, { ...context, project });
      return {
        outcome,
        notes: [`${wanted} is not available now (${error.code}): this is ${environment}, which is cached`],
      };
    }
    throw error;
  }
}

function hasTool({ tools }: ServerState, operation: string): boolean {
  return tools.some(({ facts }) => facts.operation === operation);
}
