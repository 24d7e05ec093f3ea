// The secrets of a workspace: taken from the call, put where the guest finds them, kept out of what is shown.
import { readFile } from 'node:fs/promises';
import type { Change } from '../agent/file-types.ts';
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

/** Notices secrets in contents that pass, without changing them: what is exported stays as it is, or does not go. */
export class SecretWatch {
  readonly #secrets: SecretSet;
  readonly #paths = new Set<string>();

  constructor(secrets: SecretSet) {
    this.#secrets = secrets;
  }

  async *content(path: Buffer, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const redactor = this.#secrets.redactor();
    for await (const chunk of content) {
      redactor.push(chunk);
      if (redactor.hasFound) this.#paths.add(path.toString('utf8'));
      yield chunk;
    }
  }

  async *changes(changes: AsyncIterable<Change>): AsyncGenerator<Change> {
    for await (const change of changes) {
      yield {
        ...change,
        contentBefore: () => this.content(change.path, change.contentBefore()),
        contentAfter: () => this.content(change.path, change.contentAfter()),
      };
    }
  }

  /** Throws `secret_in_output` when something was noticed. */
  assertClean(): void {
    if (this.#paths.size === 0) return;
    const paths = [...this.#paths];
    throw new PyroError('secret_in_output', `the value of a secret stands in ${paths.slice(0, 10).join(', ')}`, {
      hint: 'take it out of these files, or leave them out by a narrower path',
      details: { paths: paths.slice(0, 100) },
    });
  }
}
