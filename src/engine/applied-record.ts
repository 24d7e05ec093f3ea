// What was applied to the checkout of a workspace, so that the next apply knows its own work from the person's.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { AppliedStates } from '../changes/apply-plan.ts';
import { readJson, writeJson } from '../system/files.ts';

const fileName = 'applied.json';

const schema = z.object({
  version: z.literal(1),
  /** Real path of the folder of the host */
  target: z.string(),
  /** Paths in latin1 with what was put there: mode and blob */
  paths: z.record(z.string(), z.string()),
});

/** Nothing for another folder, or where the file cannot be read: then more stands against an apply, never less. */
export async function readApplied(folder: string, target: string): Promise<AppliedStates> {
  const record = await readJson(join(folder, fileName), schema).catch(() => undefined);
  return new Map(record?.target === target ? Object.entries(record.paths) : []);
}

export async function writeApplied(folder: string, target: string, applied: AppliedStates): Promise<void> {
  await writeJson(join(folder, fileName), { version: 1, target, paths: Object.fromEntries(applied) });
}

/** Where the contents of what was put there are kept. */
export function basesFile(folder: string): string {
  return join(folder, 'applied.pack');
}

/** What was applied to any folder, by the keys of the paths. */
export async function appliedKeys(folder: string): Promise<string[]> {
  const record = await readJson(join(folder, fileName), schema).catch(() => undefined);
  return Object.keys(record?.paths ?? {});
}

/** After a reset the guest has never done what was applied: it is the person's own by now. */
export async function forgetApplied(folder: string): Promise<void> {
  for (const file of [join(folder, fileName), basesFile(folder)]) await rm(file, { force: true });
}
