// Who reads the results: a model by way of a chat host, which shows it one form of them only, or a program.
import type { ServerOptions } from '../shared/server-options.ts';

/**
 * How the hosts that were tried call themselves. Two of three show their model the structure in place of the text, and
 * the third the text alone: what is mostly text goes to them as text.
 */
const chatHosts = /^(?:claude|codex|opencode)/i;

export type Audience = 'model' | 'program';

export function audienceOf({ results }: ServerOptions, client: string | undefined): Audience {
  if (results !== 'auto') return results === 'text' ? 'model' : 'program';
  return client !== undefined && chatHosts.test(client) ? 'model' : 'program';
}
