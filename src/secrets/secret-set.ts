// The secrets of a workspace: values that cannot be printed, and what takes them out of everything that is shown.
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { byLength, type Form, longestSecret, secretForms, shortestSecret } from './forms.ts';
import { containsForm, maskForms, StreamRedactor } from './redactor.ts';

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const mostSecrets = 64;

export type SecretSource = 'literal' | 'file';

export interface Secret {
  readonly name: string;
  readonly source: SecretSource;
  readonly value: Buffer;
}

/** Names with their variables, as the words that {@link SecretSet.environment} takes. */
export function secretWords(secretEnv: Readonly<Record<string, string>>): string[] {
  return Object.entries(secretEnv).map(([name, variable]) => `${name}=${variable}`);
}

export class SecretSet {
  readonly #secrets: ReadonlyMap<string, Secret>;
  #forms: readonly Form[];
  /** Names whose values are gone */
  readonly #lost: readonly string[];

  /** Throws `secret_invalid`. */
  constructor(secrets: readonly Secret[], lost: readonly string[] = []) {
    this.#lost = lost;
    if (secrets.length > mostSecrets) throw invalid(`a workspace has at most ${mostSecrets} secrets`);
    for (const { name, value } of secrets) {
      if (!namePattern.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 80))} is not a valid secret name`);
      if (value.length < shortestSecret || value.length > longestSecret) {
        throw invalid(`the value of ${name} must have ${shortestSecret} to ${longestSecret} bytes`);
      }
      if (value.includes(0)) throw invalid(`the value of ${name} contains a zero byte`);
    }
    this.#secrets = new Map(secrets.map((secret) => [secret.name, secret]));
    if (this.#secrets.size < secrets.length) throw invalid('two secrets have the same name');
    this.#forms = secrets.flatMap(({ value }) => secretForms(value)).sort(byLength);
  }

  /** A set that masks and notices what another one does, and knows none of its names. */
  static ofForms(forms: readonly Form[]): SecretSet {
    const set = new SecretSet([]);
    set.#forms = forms;
    return set;
  }

  /** All that is taken out of what is shown: each value in each of its forms, the longest first. */
  get forms(): readonly Form[] {
    return this.#forms;
  }

  /** So far from a byte of a secret its other bytes may stand, with the line breaks in between, `bytes` */
  get reach(): number {
    return 2 * (this.#forms[0]?.bytes.length ?? 0) + 64;
  }

  get isEmpty(): boolean {
    return this.#forms.length === 0;
  }

  /** True where something may have been told a secret, also one whose value is gone by now. */
  get wasGivenAny(): boolean {
    return !this.isEmpty || this.#lost.length > 0;
  }

  /** Takes values without a name out of what is shown, too. What is shorter than any secret stays. */
  hide(values: readonly string[]): void {
    const hidden = values.map((value) => Buffer.from(value)).filter((value) => value.length >= shortestSecret);
    const known = new Set(this.#forms.map(({ bytes }) => bytes.toString('latin1')));
    const more = hidden
      .flatMap((value) => secretForms(value))
      .filter(({ bytes }) => !known.has(bytes.toString('latin1')));
    if (more.length > 0) this.#forms = [...this.#forms, ...more].sort(byLength);
  }

  list(): { name: string; source_kind: SecretSource }[] {
    return [...this.#secrets.values()].map(({ name, source }) => ({ name, source_kind: source }));
  }

  entries(): Secret[] {
    return [...this.#secrets.values()];
  }

  /** Throws `secret_unknown`, or `secret_lost` for one whose value went with the memory of the machine. */
  value(name: string): Buffer {
    const found = this.#secrets.get(name);
    if (found !== undefined) return found.value;
    if (this.#lost.includes(name)) {
      throw new PyroError('secret_lost', `the value of the secret ${name}, kept only in memory, is gone`, {
        hint: `export what you need (${hintCall('workspace.export')}), and create a new workspace with the secret`,
      });
    }
    throw unknown(
      name,
      this.#secrets.size === 0
        ? 'secrets can only be given when a workspace is created'
        : `it has: ${[...this.#secrets.keys()].join(', ')}`,
    );
  }

  /**
   * Variables for a process: `NAME` under its own name, `NAME=VARIABLE` under another.
   * Throws `usage` for a word that names no variable, and what {@link value} throws.
   */
  environment(words: readonly string[]): Record<string, string> {
    const variables: Record<string, string> = {};
    for (const word of words) {
      const at = word.indexOf('=');
      const name = at < 0 ? word : word.slice(0, at);
      const variable = at < 0 ? name : word.slice(at + 1);
      if (!this.#secrets.has(name) && this.#secrets.has(variable))
        throw unknown(name, 'the secret comes first, then the variable');
      const value = this.value(name);
      if (!variablePattern.test(variable)) {
        throw new PyroError(
          'usage',
          `secret_env: ${JSON.stringify(variable.slice(0, 80))} is not a valid variable name`,
          {
            hint: 'each is NAME or NAME=VARIABLE',
          },
        );
      }
      variables[variable] = value.toString('utf8');
    }
    return variables;
  }

  redactor(): StreamRedactor {
    return new StreamRedactor(this.#forms);
  }

  mask(bytes: Buffer): Buffer {
    return maskForms(bytes, this.#forms);
  }

  maskText(text: string): string {
    return this.isEmpty ? text : this.mask(Buffer.from(text)).toString('utf8');
  }

  isIn(bytes: Buffer): boolean {
    return containsForm(bytes, this.#forms);
  }

  /** Keeps values out of logs and JSON. */
  toJSON(): unknown {
    return this.list();
  }
}

function invalid(why: string): PyroError {
  return new PyroError('secret_invalid', why, {
    hint: 'a name has 1 to 64 letters, digits and underscores and does not begin with a digit',
  });
}

function unknown(name: string, hint: string): PyroError {
  return new PyroError('secret_unknown', `the workspace has no secret ${JSON.stringify(name.slice(0, 80))}`, { hint });
}
