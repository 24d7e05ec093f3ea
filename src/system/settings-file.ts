// config.json: defaults of this user, by the names of the fields that they are for.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isNoRoom, PyroError, systemCodeOf } from '../shared/errors.ts';
import { writeJson } from './files.ts';
import { locatePaths } from './paths.ts';

export type Settings = Readonly<Record<string, unknown>>;

const fileSchema = z.record(z.string(), z.unknown());

export function settingsPath(): string {
  return join(locatePaths().config, 'config.json');
}

/** What is set; nothing where there is no file. Throws `usage` for one that cannot be read, since a person writes it too. */
export async function readSettings(): Promise<Settings> {
  const path = settingsPath();
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new PyroError('usage', `${path} cannot be read: ${code ?? 'unknown reason'}`, {
      hint: 'mend or remove it',
      cause: error,
    });
  }
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message : 'it is no object of names and values';
    throw new PyroError('usage', `${path} cannot be read: ${why}`, { hint: 'mend or remove it', cause });
  }
}

export async function writeSettings(settings: Settings): Promise<void> {
  const path = settingsPath();
  try {
    await writeJson(path, settings);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined || isNoRoom(error)) throw error;
    throw new PyroError('path_not_writable', `${path} cannot be written: ${code}`, {
      hint: `make ${dirname(path)} a folder that you may write to; PYRO_HOME=/some/folder moves everything that pyro writes`,
      cause: error,
    });
  }
}
