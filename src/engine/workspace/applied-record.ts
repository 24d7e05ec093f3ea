// What was applied to the checkout of a workspace, so that the next apply knows its own work from the person's.
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { AppliedStates } from '../../changes/apply-plan.ts';
import { readJson, writeJson } from '../../system/files.ts';

const fileName = 'applied.json';

const schema = z.object({
  version: z.literal(1),
  /** Real path of the folder of the host */
  target: z.string(),
  /** Paths in latin1 with what was put there: mode and blob */
  paths: z.record(z.string(), z.string()),
  /** When that was, `s` since 1970 */
  applied_at: z.number().optional(),
});

/** Nothing for another folder, or where the file cannot be read: then more stands against an apply, never less. */
export async function readApplied(folder: string, target: string): Promise<AppliedStates> {
  const record = await readJson(join(folder, fileName), schema).catch(() => undefined);
  return new Map(record?.target === target ? Object.entries(record.paths) : []);
}

/** Makes the record ready in a private folder on the same disk; what it gives puts it in its place. */
export async function prepareApplied(
  folder: string,
  target: string,
  madeIn: string,
  applied: AppliedStates,
): Promise<() => Promise<void>> {
  const made = join(madeIn, fileName);
  await writeJson(made, { version: 1, target, paths: Object.fromEntries(applied), applied_at: Date.now() / 1000 });
  return async () => await rename(made, join(folder, fileName));
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

/**
 * After a reset the guest has never done what was applied: it is the person's own by now. A state that was saved later than
 * that still has it in its past.
 */
export async function forgetApplied(folder: string, savedAt: number | undefined): Promise<void> {
  const record = await readJson(join(folder, fileName), schema).catch(() => undefined);
  if (savedAt !== undefined && savedAt >= (record?.applied_at ?? Number.POSITIVE_INFINITY)) return;
  for (const file of [join(folder, fileName), basesFile(folder)]) await rm(file, { force: true });
}
