// What to wait for in output: a text, or any regular expression, as long as it does not take forever.
import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'node:util';
import { createContext, Script } from 'node:vm';
import { PyroError } from '../../shared/errors.ts';
import { Mutex } from '../../shared/mutex.ts';

export const longestPattern = 500;
/** Time that one match may take of a processor, `ms` */
const lookMs = 100;
/** On a busy machine it may wait so long for a processor, `ms` */
const longestLookMs = 1000;

export interface OutputPattern {
  /** Throws `usage` when the expression takes too long; expressions are searched one at a time, see {@link searches} */
  readonly isIn: (text: string) => Promise<boolean>;
}

/** Whoever waits gives an expression and a guest the text: this process is free for as long as each search held it up. */
const searches = new Mutex();

const search = new Script('new RegExp(source, flags).test(text)');

/** `/…/flags` is a regular expression, anything else a text. `cpuMs` is the processor time used so far. Throws `usage`. */
export function parsePattern(pattern: string, cpuMs: () => number = ownCpuMs): OutputPattern {
  if (pattern === '' || pattern.length > longestPattern) {
    throw new PyroError('usage', `wait_for must have 1 to ${longestPattern} characters`);
  }
  const match = /^\/(.+)\/([imsuv]*)$/s.exec(pattern);
  if (match === null) return { isIn: async (text) => text.includes(pattern) };
  const [, source = '', flags = ''] = match;
  try {
    new RegExp(source, flags);
  } catch (cause) {
    throw new PyroError('usage', `wait_for: ${pattern} is not a valid regular expression`, {
      hint: 'text without slashes around it is matched literally',
      cause,
    });
  }
  return { isIn: async (text) => await searches.run(() => isFound(source, flags, text, cpuMs)) };
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function isFound(source: string, flags: string, text: string, cpuMs: () => number): Promise<boolean> {
  for (let waitedMs = lookMs; ; waitedMs += lookMs) {
    const [before, beganAt] = [cpuMs(), performance.now()];
    const found = look(source, flags, text);
    const usedMs = cpuMs() - before;
    await sleep(performance.now() - beganAt);
    if (found !== undefined) return found;
    // Where others had the processor meanwhile, the expression is not what takes long.
    if (usedMs < lookMs / 2 && waitedMs < longestLookMs) continue;
    throw new PyroError('usage', `wait_for: /${source}/ takes more than ${lookMs} ms to match`, {
      hint: 'use a simpler expression, or plain text',
    });
  }
}

/** Undefined when the time was over. A context of its own can be stopped in the middle of a search. */
function look(source: string, flags: string, text: string): boolean | undefined {
  try {
    return search.runInContext(createContext({ source, flags, text }), { timeout: lookMs }) === true;
  } catch (error) {
    // It comes from that context, so it is not an instance of our Error.
    const isTimeout = types.isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    if (isTimeout) return undefined;
    throw error;
  }
}
