// config.json: defaults of this user, by the names of the fields that they are for.
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isDiskFull, isPyroError, messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { readOwnFile, whereLinksLead, writeJson } from './files.ts';
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
    text = await readOwnFile(path);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new PyroError('usage', `${path} cannot be read: ${code ?? messageOf(error)}`, {
      hint: 'fix or remove it',
      cause: error,
    });
  }
  try {
    // Some editors begin a file with a byte order mark.
    return fileSchema.parse(JSON.parse(text.replace(/^\uFEFF/, '')));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message : 'it is not an object of names and values';
    throw new PyroError('usage', `${path} cannot be read: ${why}`, { hint: 'fix or remove it', cause });
  }
}

export async function writeSettings(settings: Settings): Promise<void> {
  const path = settingsPath();
  try {
    const place = await whereLinksLead(path);
    // What is there may be /dev/null, which a rename would replace for the whole machine.
    if ((await stat(place).catch(() => undefined))?.isFile() === false) throw notWritable(path, 'it is not a file');
    await writeJson(place, settings);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined || isPyroError(error) || isDiskFull(error)) throw error;
    throw notWritable(path, code, error);
  }
}

function notWritable(path: string, why: string, cause?: unknown): PyroError {
  return new PyroError('path_not_writable', `${path} cannot be written to: ${why}`, {
    hint: `make ${dirname(path)} a folder that you may write to; set PYRO_HOME=/some/folder to move everything that pyro writes`,
    cause,
  });
}
