// Workspaces that a run has not deleted itself: found by their label, and deleted.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { executable } from '../support/real-home.ts';
import { type CommandOptions, runCommand } from './command.ts';

/** A create that was cut short ends in the daemon a moment later than here. */
const settleMs = 1500;

const listSchema = z.object({
  workspaces: z.array(z.object({ workspace_id: z.string(), name: z.string().nullable().default(null) })),
});

/** Gives the names of those that were still there. */
export async function deleteLeftovers(label: string, wasCutShort: boolean, options: CommandOptions): Promise<string[]> {
  const first = await deleteAll(label, options);
  if (!wasCutShort) return first;
  await sleep(settleMs);
  return [...first, ...(await deleteAll(label, options))];
}

async function deleteAll(label: string, options: CommandOptions): Promise<string[]> {
  const listed = await pyro(['workspace', 'list', '--label', label, '--json'], options);
  const { workspaces } = listSchema.parse(JSON.parse(listed));
  for (const { workspace_id: id } of workspaces) await pyro(['workspace', 'delete', id, '--json'], options);
  return workspaces.map(({ workspace_id: id, name }) => name ?? id);
}

async function pyro(args: readonly string[], options: CommandOptions): Promise<string> {
  const { exitCode, stdout, output } = await runCommand(executable, args, options);
  if (exitCode !== 0) throw new Error(`pyro ${args.join(' ')} ended with ${exitCode}: ${output}`);
  return stdout;
}
