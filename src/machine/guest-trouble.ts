// Errors of calls on a guest that has ended, or that does not answer, with the steps that help this workspace.
import type { WorkspaceRecord } from '../contract/records.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { waitForAny } from '../shared/waiting.ts';
import type { Guest } from './machine.ts';
import type { Trouble } from './trouble.ts';

const troubles = ['guest_unresponsive', 'disk_full', 'disk_failed', 'file_size_limited'] as const;

/** True for the error of a guest that runs and does not answer. */
export function isTrouble(error: unknown): error is PyroError {
  return isPyroError(error, ...troubles);
}

/** The same as a state. */
export function troubleOf(error: PyroError): Trouble {
  const reason = error.details['reason'];
  return {
    state: error.code === 'guest_unresponsive' ? 'unresponsive' : 'paused',
    reason: typeof reason === 'string' ? reason : error.message,
    error,
  };
}

/** A lost connection is met a moment before the end of the guest that was the reason, `ms` */
const endMs = 1500;

/** The same error, or what is known better by now. */
export async function explain(error: unknown, guest: Guest | undefined, id: string): Promise<unknown> {
  if (isPyroError(error, 'guest_unresponsive')) return withSteps(error, id);
  return isTrouble(error) && error.details['given_up'] === true ? anew(error, id) : await explainEnd(error, guest);
}

/** A connection that was lost since the guest has ended is told as that. */
export async function explainEnd(error: unknown, guest: Guest | undefined): Promise<unknown> {
  if (!isPyroError(error, 'guest_unreachable') || guest === undefined) return error;
  let end: string | undefined;
  await waitForAny([guest.ended.then(({ text }) => (end = text))], endMs);
  if (end === undefined) return error;
  const { message, hint, details } = error;
  const what = message.startsWith('the guest ended') ? message : 'the guest ended during the call';
  return new PyroError('guest_ended', `${what}: ${end}`, { hint, details, cause: error });
}

/** Names the workspace in the steps. */
function withSteps(error: PyroError, id: string): PyroError {
  return anew(error, id, error.details['held'] === true ? `${error.hint}; or ` : 'try again if it is only busy; else ');
}

function anew(error: PyroError, id: string, first = ''): PyroError {
  const [stop, start, reset] = (['workspace.stop', 'workspace.start', 'workspace.reset'] as const).map((operation) =>
    hintCall(operation, { workspace_id: id }),
  );
  const steps = `start it anew from its disk, with what was synced: ${stop}, then ${start}; or back to its seed: ${reset}`;
  return new PyroError(error.code, error.message, { hint: first + steps, details: error.details, cause: error });
}

/** How the state of a workspace is shown whose guest is in trouble, or ended badly. */
export function shownState(
  { state, stop_reason: reason, stop_detail: detail }: WorkspaceRecord,
  trouble: Trouble | undefined,
): {
  readonly state: 'started' | 'stopped' | 'crashed' | 'paused' | 'unresponsive';
  readonly state_reason: string | null;
} {
  if (state === 'stopped') return { state: reason === 'crash' ? 'crashed' : 'stopped', state_reason: detail };
  return { state: trouble?.state ?? 'started', state_reason: trouble?.reason ?? null };
}
