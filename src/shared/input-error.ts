// What went wrong with an input of ours: an end that is none must never pass for one.
import { isPyroError, messageOf, PyroError, systemCodeOf } from './errors.ts';

const longestReason = 300;

/** `input_failed`, with what the system said of it. */
export function inputError(error: unknown): PyroError {
  if (isPyroError(error)) return error;
  const why = systemCodeOf(error) === 'EISDIR' ? 'it is a folder' : messageOf(error).slice(0, longestReason);
  return new PyroError('input_failed', `standard input could not be read to its end: ${why}`, { cause: error });
}
