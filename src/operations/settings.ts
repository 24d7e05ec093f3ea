// Defaults that a user sets for the commands that make machines: which there are, and what each command takes of them.
import type { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import type { AnyOperation } from './define.ts';
import { describeFault } from './input-fault.ts';
import { namesNear } from './input-names.ts';
import { run } from './run.ts';
import { workspaceCreate } from './workspace-life.ts';

export interface Setting {
  readonly field: string;
  readonly schema: z.ZodType;
  /** What the first of its commands takes where nothing is set, as far as it is always the same */
  readonly usual: unknown;
  /** Commands that take it */
  readonly operations: readonly string[];
}

const owners: readonly AnyOperation[] = [workspaceCreate, run];

/** By field, in the order of the commands; of a field that several have, the first one says what it may be. */
export const settings: ReadonlyMap<string, Setting> = collectSettings();

function collectSettings(): Map<string, Setting> {
  const found = new Map<string, Setting>();
  for (const { definition } of owners) {
    for (const field of definition.settings ?? []) {
      const schema = found.get(field)?.schema ?? definition.input.shape[field];
      if (schema === undefined) continue;
      const usual = found.get(field)?.usual ?? definition.commandDefaults?.[field] ?? schema.safeParse(undefined).data;
      const commands = [...(found.get(field)?.operations ?? []), definition.name];
      found.set(field, { field, schema, usual, operations: commands });
    }
  }
  return found;
}

/** The setting of a name as it is written here or as an option. Throws `usage`. */
export function findSetting(name: string): Setting {
  const field = name.replace(/^--/, '').replaceAll('-', '_');
  const found = settings.get(field);
  if (found !== undefined) return found;
  const names = [...settings.keys()];
  const begun = names.filter((each) => each.startsWith(field));
  const near = begun.length > 0 ? begun : namesNear(field, names);
  throw new PyroError('usage', `there is no setting ${name}`, {
    hint: `${near.length > 0 ? 'did you mean' : 'there are'} ${(near.length > 0 ? near : names).map(settingName).join(', ')}`,
  });
}

export function settingName(field: string): string {
  return field.replaceAll('_', '-');
}

/** A value as it is typed: a number where one is wanted. Throws `usage`. */
export function parseSetting({ field, schema }: Setting, text: string): unknown {
  const isNumber = text.trim() !== '' && Number.isFinite(Number(text));
  if (!isNumber || schema.safeParse(text).success) return checkSetting({ field, schema }, text, '');
  return checkSetting({ field, schema }, Number(text), '');
}

/** Those of the stored values that the operation takes. Throws `usage` for a value that is none. */
export function settingsFor(
  { definition }: AnyOperation,
  stored: Readonly<Record<string, unknown>>,
  path: string,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const field of definition.settings ?? []) {
    const setting = settings.get(field);
    if (setting === undefined || stored[field] === undefined) continue;
    const value = checkSetting(setting, stored[field], `${path}: `);
    // A command may take less than another one.
    if (definition.input.shape[field]?.safeParse(value).success === true) values[field] = value;
  }
  return values;
}

/** Why a stored value is none, or null. */
export function faultOf({ schema }: Pick<Setting, 'schema'>, value: unknown): string | null {
  const parsed = schema.safeParse(value);
  if (parsed.success) return null;
  const [issue] = parsed.error.issues;
  return issue === undefined ? 'it is not valid' : describeFault(issue);
}

function checkSetting({ field, schema }: Pick<Setting, 'field' | 'schema'>, value: unknown, where: string): unknown {
  const fault = faultOf({ schema }, value);
  if (fault === null) return schema.parse(value);
  const name = settingName(field);
  throw new PyroError('usage', `${where}${name}: ${fault}`, {
    hint: `pyro config ${name} VALUE sets it, pyro config --unset ${name} removes it`,
  });
}
