// Why a call ends before its work does: someone means to end the work, or nobody waits for it any more.
import { isPyroError, PyroError } from './errors.ts';

/** The reason of an abort by which the caller only stops waiting: what can go on without it continues. */
export function noLongerWaiting(why: string): PyroError {
  return new PyroError('cancelled', why, { details: { goes_on: true } });
}

export function isNoLongerWaiting(reason: unknown): boolean {
  return isPyroError(reason, 'cancelled') && reason.details['goes_on'] === true;
}
