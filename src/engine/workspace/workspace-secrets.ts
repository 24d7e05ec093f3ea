// The secrets of a workspace: taken from the call, put where the guest finds them, kept out of what is shown and noted.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { WorkspaceEvent } from '../../contract/records.ts';
import type { CreateInput } from '../../contract/workspaces.ts';
import type { Guest } from '../../machine/machine.ts';
import { longestSecret } from '../../secrets/forms.ts';
import { type Secret, SecretSet } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { type ErrorDetails, isPyroError, PyroError } from '../../shared/errors.ts';
import { permitHostPath } from '../guests/host-paths.ts';
import { recordEvent } from '../output/events.ts';
import type { WorkspaceFiles } from './workspace-record.ts';

/** Folder in the guest's memory; one file for each secret */
const guestFolder = '/run/pyro-secrets';

/** Throws `secret_invalid`, or `path_refused` for a file that the caller may not name. */
export async function readSecrets(requests: CreateInput['secrets'], call: WorkspaceCall): Promise<SecretSet> {
  const secrets: Secret[] = [];
  for (const { name, value: literal, file_path: path } of requests) {
    if (path === undefined) {
      secrets.push({ name, source: 'literal', value: Buffer.from(literal ?? '') });
      continue;
    }
    const content = await readBeginning(await permitHostPath(path, call.hostPaths)).catch((error: unknown) => {
      if (isPyroError(error)) throw error;
      throw new PyroError('secret_invalid', `the file of the secret ${name} cannot be read: ${path}`, { cause: error });
    });
    if (content === undefined)
      throw new PyroError('secret_invalid', `${path} of the secret ${name} is not a regular file`);
    if (content.length > longestSecret + 1) throw new PyroError('secret_invalid', `the file of ${name} is too long`);
    // Editors end a file with a line break that is no part of the secret.
    const value = content.at(-1) === 0x0a ? content.subarray(0, -1) : content;
    secrets.push({ name, source: 'file', value });
  }
  return new SecretSet(secrets);
}

/** Of a regular file no more than tells that it is too long. A pipe would be waited for, and a device has no end. */
async function readBeginning(path: string): Promise<Buffer | undefined> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) return undefined;
  const bytes = Buffer.alloc(longestSecret + 2);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, length);
    length += bytesRead;
    if (bytesRead === 0 || length === bytes.length) return bytes.subarray(0, length);
  }
}

/** Puts the secrets into the guest's memory, for programs that read files. */
export async function bringSecrets(guest: Guest, secrets: SecretSet, { signal }: CallContext): Promise<void> {
  const files = createGuestFiles(guest.client);
  for (const { name, value } of secrets.entries()) {
    await files.write({ path: `${guestFolder}/${name}`, mode: 0o600 }, value, { signal });
  }
}

/** Throws `secret_in_record` when one of the texts, which will be kept on disk, contains the value of a secret. */
export function refuseInRecord(what: string, texts: readonly string[], secrets: SecretSet): void {
  if (!texts.some((text) => secrets.isIn(Buffer.from(text)))) return;
  throw new PyroError('secret_in_record', `${what} contains the value of a secret, and is kept on disk`, {
    hint: 'refer to the secret by its name in secret_env and use the variable instead',
  });
}

/** The error with secrets taken out of all that it says, also of what only the log is told. */
export function maskError(error: unknown, secrets: SecretSet): unknown {
  if (secrets.isEmpty || !(error instanceof Error)) return error;
  if (!isPyroError(error)) return maskFault(error, secrets);
  const details = Object.entries(error.details).map(([key, value]) => [key, maskDetail(value, secrets)]);
  // Its cause, which nobody is shown, stays behind.
  return new PyroError(error.code, secrets.maskText(error.message), {
    ...(error.hint === undefined ? {} : { hint: secrets.maskText(error.hint) }),
    details: Object.fromEntries(details),
  });
}

/** A fault of ours goes into the log with its stack, which quotes the message. */
function maskFault(error: Error, secrets: SecretSet): Error {
  const said = [error.message, error.stack ?? '', 'path' in error ? String(error.path) : ''];
  if (said.every((text) => secrets.maskText(text) === text)) return error;
  const masked = new Error(secrets.maskText(error.message));
  masked.stack = secrets.maskText(error.stack ?? '');
  return masked;
}

function maskDetail(value: ErrorDetails[string], secrets: SecretSet): ErrorDetails[string] {
  if (typeof value === 'string') return secrets.maskText(value);
  return typeof value === 'object' && value !== null ? value.map((each) => secrets.maskText(each)) : value;
}

/** What happened goes into the history of the workspace, with stars for secrets: names and paths of callers stand in it. */
export async function noteEvent(
  { files, secrets }: { readonly files: WorkspaceFiles; readonly secrets: SecretSet },
  kind: WorkspaceEvent['kind'],
  detail: string,
): Promise<void> {
  await recordEvent(files.events, kind, secrets.maskText(detail));
}
