// One call of the library: input completed and checked, the operation run where it belongs, every failure a PyroError.
import { type FrontContext, invokeOperation } from '../daemon/client.ts';
import { parseInput } from '../operations/check-input.ts';
import type { AnyOperation } from '../operations/define.ts';
import { forgiveInput } from '../operations/forgive-input.ts';
import { withHostPaths } from '../operations/host-path-input.ts';
import { operations } from '../operations/index.ts';
import { asPyroError, inWords, PyroError } from '../shared/errors.ts';
import { methodCall } from '../shared/hint-words.ts';
import { noProgress } from '../shared/progress.ts';
import type { CallByName, LiveStreams } from './call-options.ts';

const byName = new Map(operations.map((operation) => [operation.definition.name, operation]));

/** Throws `usage` for input that does not fit, `cancelled` when the signal ends it, and what the operation throws. */
export const callByName: CallByName = async (name, input, options = {}) => {
  const operation = byName.get(name);
  if (operation === undefined) throw new PyroError('usage', `there is no operation ${name}`);
  const { signal = new AbortController().signal, onProgress = noProgress, onNote, streams } = options;
  try {
    signal.throwIfAborted();
    const forgiven = forgiveInput(operation, input);
    const whole = complete(operation, forgiven.input);
    parseInput(operation, whole);
    for (const note of forgiven.notes) onNote?.(note);
    const { output } = await invokeOperation(operation, whole, {
      io: operation.definition.isLive === true && streams !== undefined ? ioOf(streams) : undefined,
      signal,
      onProgress,
      // The program is the user's own: it may name any path that the system lets it.
      hostPaths: 'any',
      project: undefined,
      network: undefined,
    });
    return output;
  } catch (error) {
    if (signal.aborted) throw new PyroError('cancelled', `${name} was cancelled`, { cause: signal.reason });
    throw inWords(asPyroError(error), methodCall);
  }
};

/** What is left out is as at the command line, whose defaults fit a program better than those for a model. */
function complete(operation: AnyOperation, input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  return withHostPaths(operation.definition, { ...operation.definition.commandDefaults, ...given }, process.cwd());
}

function ioOf({ stdin, stdout, stderr }: LiveStreams): FrontContext['io'] {
  return { stdin, stdout, stderr, terminal: undefined, onStarted: () => () => undefined };
}
