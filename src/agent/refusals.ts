// Refusals of a guest as errors: its reasons are checked, and only known codes become ours.
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { guestErrorSchema } from './messages.ts';

/** Codes of the guest that are also ours; any other becomes `guest_refused`. */
const sharedCodes = [
  'command_not_found',
  'command_not_executable',
  'user_unknown',
  'cwd_missing',
  'file_missing',
  'not_a_file',
  'not_a_directory',
  'is_a_directory',
  'replacement_mismatch',
  'disk_full',
] as const;

const hints: Readonly<Record<string, string>> = {
  too_many: `end some commands, shells or services in this workspace, or wait for some to end; or go back: ${hintCall('workspace.reset')}`,
};

/** The error of an answer that is no success. */
export function refusal(status: number, body: Buffer): PyroError {
  const parsed = guestErrorSchema.safeParse(tryJson(body));
  if (!parsed.success) return new PyroError('guest_protocol', `the guest answered ${status} without a reason`);
  return toRefusal(parsed.data);
}

/** The error of a reason that the guest gave. */
export function toRefusal({ code, message }: { readonly code: string; readonly message: string }): PyroError {
  const known = sharedCodes.find((candidate) => candidate === code);
  return new PyroError(known ?? 'guest_refused', message, { hint: hints[code], details: { guest_code: code } });
}

function tryJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the schema says so.
    return undefined;
  }
}

export function unreachable(why: string): PyroError {
  return new PyroError('guest_unreachable', `the guest does not answer: ${why}`);
}
