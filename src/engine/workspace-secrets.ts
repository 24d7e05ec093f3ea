// The secrets of a workspace: taken from the call, put where the guest finds them, kept out of what is shown.
import { readFile } from 'node:fs/promises';
import { createGuestFiles } from '../agent/guest-files.ts';
import type { Guest } from '../machine/guest.ts';
import { longestSecret } from '../secrets/forms.ts';
import { type Secret, SecretSet } from '../secrets/secret-set.ts';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { permitHostPath } from './host-paths.ts';
import type { SecretRequest, WorkspaceCall } from './workspace-types.ts';

/** Folder in the guest's memory; one file for each secret */
const guestFolder = '/run/pyro-secrets';

/** Throws `secret_invalid`, or `path_refused` for a file that the caller may not name. */
export async function readSecrets({ literals, files }: SecretRequest, call: WorkspaceCall): Promise<SecretSet> {
  const secrets: Secret[] = Object.entries(literals).map(([name, value]) => ({
    name,
    source: 'literal',
    value: Buffer.from(value),
  }));
  for (const [name, path] of Object.entries(files)) {
    const content = await readFile(await permitHostPath(path, call.hostPaths)).catch((error: unknown) => {
      if (isPyroError(error)) throw error;
      throw new PyroError('secret_invalid', `the file of the secret ${name} cannot be read: ${path}`, { cause: error });
    });
    if (content.length > longestSecret + 1) throw new PyroError('secret_invalid', `the file of ${name} is too long`);
    // Editors end a file with a line break that is no part of the secret.
    const value = content.at(-1) === 0x0a ? content.subarray(0, -1) : content;
    secrets.push({ name, source: 'file', value });
  }
  return new SecretSet(secrets);
}

/** Puts the secrets into the guest's memory, for programs that read files. */
export async function bringSecrets(guest: Guest, secrets: SecretSet, { signal }: CallContext): Promise<void> {
  const files = createGuestFiles(guest.client);
  for (const { name, value } of secrets.entries()) {
    await files.write({ path: `${guestFolder}/${name}`, mode: 0o600 }, value, { signal });
  }
}

/** Environment of a command: `NAME` under its own name, `NAME=VARIABLE` under another. Throws `secret_unknown`. */
export function secretEnvironment(secrets: SecretSet, words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      const name = at < 0 ? word : word.slice(0, at);
      return [at < 0 ? name : word.slice(at + 1), secrets.value(name).toString('utf8')];
    }),
  );
}

/** The error with secrets taken out of its text. */
export function maskError(error: unknown, secrets: SecretSet): unknown {
  if (secrets.isEmpty || !isPyroError(error)) return error;
  const message = secrets.maskText(error.message);
  if (message === error.message) return error;
  return new PyroError(error.code, message, error.hint === undefined ? {} : { hint: secrets.maskText(error.hint) });
}
