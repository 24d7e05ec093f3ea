// A call that is cancelled at each moment at which it could notice, one after the other, so that no half-way is left out.
import type { WorkspaceCall } from '../../src/contract/call.ts';
import { PyroError } from '../../src/shared/errors.ts';
import { call } from './engine.ts';

/** A call that looks so often at its signal is one that never ends, as a test sees it */
const mostLooks = 200;

export const cancelled = new PyroError('cancelled', 'the test has cancelled it');

export type Outcome = 'done' | 'cancelled';

/** Only what is no answer to the cancel is thrown. */
async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof PyroError && error.code === 'cancelled') return 'cancelled';
    throw error;
  }
}

/** Cancels when the signal is looked at for the `turn`th time, and when that time's work has begun, by turns. */
function cancelledAt(
  turn: number,
  changes: Partial<WorkspaceCall>,
): { readonly context: WorkspaceCall; readonly isReached: () => boolean } {
  const controller = new AbortController();
  const look = Math.ceil(turn / 2);
  let looks = 0;
  const context = call(changes);
  Object.defineProperty(context, 'signal', {
    enumerable: true,
    get: () => {
      looks += 1;
      if (looks === look) {
        if (turn % 2 === 0) setImmediate(() => controller.abort(cancelled));
        else controller.abort(cancelled);
      }
      return controller.signal;
    },
  });
  return { context, isReached: () => looks >= look };
}

/** Calls `act` again and again, cancelled ever later, and `check` after each, until one was done before its cancel came. */
export async function cancelEverywhere(
  act: (context: WorkspaceCall) => Promise<unknown>,
  check: (outcome: Outcome, turn: number) => Promise<void>,
  changes: Partial<WorkspaceCall> = {},
): Promise<{ readonly turns: number; readonly cancelledCount: number }> {
  let cancelledCount = 0;
  for (let turn = 1; turn <= 2 * mostLooks; turn++) {
    const { context, isReached } = cancelledAt(turn, changes);
    const outcome = await outcomeOf(act(context));
    if (outcome === 'cancelled') cancelledCount += 1;
    await check(outcome, turn);
    if (outcome === 'done' && !isReached()) return { turns: turn, cancelledCount };
  }
  throw new Error(`it has looked at its signal more than ${mostLooks} times`);
}

/** The same by the clock: cancelled after each part of the time that it takes when nobody cancels it. */
export async function cancelByTheClock(
  act: (context: WorkspaceCall) => Promise<unknown>,
  check: (outcome: Outcome, turn: number) => Promise<void>,
  parts = 8,
): Promise<void> {
  const started = performance.now();
  await check(await outcomeOf(act(call())), 0);
  const usualMs = performance.now() - started;
  for (let turn = 1; turn <= parts; turn++) {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(cancelled), (usualMs * turn) / (parts + 1));
    const outcome = await outcomeOf(act(call({ signal: controller.signal })));
    clearTimeout(timer);
    await check(outcome, turn);
  }
}
