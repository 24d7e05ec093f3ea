// Whether and when a service that has ended comes back.
import type { RestartPolicy } from './service-types.ts';

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/** So many restarts in a row without a long run, and it is given up */
const mostAttempts = 20;
/** A run of this length clears the count, `s` */
export const longRunSeconds = 60;

export type RestartDecision =
  | { readonly kind: 'stay' }
  | { readonly kind: 'give_up' }
  | { readonly kind: 'restart'; readonly delayMs: number };

/** @param exitCode null when nobody saw the end
 * @param attempts restarts in a row so far */
export function decideRestart(policy: RestartPolicy, exitCode: number | null, attempts: number): RestartDecision {
  if (policy === 'never' || (policy === 'on-failure' && exitCode === 0)) return { kind: 'stay' };
  if (attempts >= mostAttempts) return { kind: 'give_up' };
  return { kind: 'restart', delayMs: Math.min(longestDelayMs, firstDelayMs * 2 ** attempts) };
}
