// How long a call of a host may wait, and what its cancel means.
import type { AnyOperation } from '../operations/define.ts';
import { noLongerWaiting } from '../shared/leaving.ts';

/** For what surrounds the wait: a guest that has to start, the way there and back, `s` */
const reserveSeconds = 5;
const field = 'wait_seconds';

/** Hosts lose patience after a minute: a wait ends before, whatever is asked, and the work continues. */
export function capWait(
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  guardMs: number,
): { readonly input: Readonly<Record<string, unknown>>; readonly notes: readonly string[] } {
  const asked = input[field];
  const mostSeconds = Math.max(0, Math.floor(guardMs / 1000) - reserveSeconds);
  if (operation.definition.input.shape[field] === undefined || typeof asked !== 'number' || asked <= mostSeconds) {
    return { input, notes: [] };
  }
  return {
    input: { ...input, [field]: mostSeconds },
    notes: [`a call waits ${mostSeconds} s at most; call again to keep waiting`],
  };
}

/**
 * The signal of a call. A cancel of a host says that it waits no longer, not that the work is to end: hosts send the
 * same one when their time limit is over, which no model has decided.
 */
export function waitingSignal(cancelled: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort(noLongerWaiting('the host cancelled the call'));
  if (cancelled.aborted) abort();
  else cancelled.addEventListener('abort', abort, { once: true });
  return controller.signal;
}
