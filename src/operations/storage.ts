// df, clean: what pyro holds on the disk of this machine, and the removal of what nothing needs.

import type { z } from 'zod';
import { cleanInput, cleanOutput, dfInput, dfOutput } from '../contract/machine.ts';
import { pruneOutput } from '../contract/workspaces.ts';
import { formatTable } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { defineOperation, type OperationContext } from './define.ts';
import { describePruned } from './workspace-delete.ts';

export const df = defineOperation({
  name: 'df',
  title: 'Show the room that pyro takes',
  summary: 'Show what pyro holds on the disk, and what could go',
  details: 'A file that several things share counts once. What could go is what pyro clean would remove.',
  effect: 'read',
  place: 'front',
  positionals: [],
  input: dfInput,
  output: dfOutput,
  examples: [{ why: 'Where the room has gone', command: 'pyro df' }],
  run: async (context) => {
    const { engine, signal, onProgress } = context;
    const uses = await engine.storage({ signal, onProgress });
    const pruned = await pruneWorkspaces(context, true);
    const freed = async (isAll: boolean): Promise<number> =>
      pruned.freed_bytes + (await engine.pruneEnvironments({ all: isAll, dry_run: true })).freed_bytes;
    return {
      uses: uses.map((use) => ({ ...use })),
      total_bytes: uses.reduce((sum, { bytes }) => sum + bytes, 0),
      cleanable_bytes: await freed(false),
      cleanable_all_bytes: await freed(true),
    };
  },
  render: ({ uses, total_bytes: total, cleanable_bytes: some, cleanable_all_bytes: all }, width) => {
    const rows = uses.map(({ kind, count, bytes, path }) => [kind, String(count ?? '-'), formatBytes(bytes), path]);
    const table = formatTable([['KIND', 'COUNT', 'SIZE', 'PATH'], ...rows, ['all', '', formatBytes(total), '']], width);
    return `${table}\n${formatBytes(some)} could go: pyro clean\n${formatBytes(all)} with all that can be made again: pyro clean --all\n`;
  },
});

type CleanOutput = z.infer<typeof cleanOutput>;

export const clean = defineOperation({
  name: 'clean',
  title: 'Make room on the disk',
  summary: 'Remove what nothing needs, after asking',
  details:
    'That is leftovers of the cache, and stopped workspaces without work. Says what it would remove and asks first. Work that was not brought home is never removed, nor what runs. With --all also cached environments, templates and projects go: they are made again when they are needed, which takes a download or a build.',
  effect: 'destroy',
  place: 'front',
  positionals: [],
  input: cleanInput,
  output: cleanOutput,
  examples: [
    { why: 'Make room', command: 'pyro clean' },
    { why: 'What would it do?', command: 'pyro clean --all --dry-run' },
    { why: 'In a script', command: 'pyro clean --force' },
  ],
  run: async (context, { all, dry_run: isDryRun }) => await sweep(context, { isAll: all, isDryRun }),
  question: (preview) => {
    const isNothing = preview.removed.length === 0 && preview.workspaces.deleted.length === 0;
    return isNothing ? undefined : `${cleanText(preview)}Remove all that?`;
  },
  mustAsk: true,
  render: (output) => cleanText(output),
});

function cleanText({ removed, workspaces, freed_bytes: freed, dry_run: isDryRun }: CleanOutput): string {
  const lines = removed.map((each) => `${isDryRun ? 'would remove' : 'removed'} ${each}\n`);
  return `${lines.join('')}${describePruned({ ...workspaces, dry_run: isDryRun })}${isDryRun ? 'would free' : 'freed'} ${formatBytes(freed)}\n`;
}

/** The workspaces first: what they alone have needed goes with them. */
async function sweep(
  context: OperationContext,
  { isAll, isDryRun }: { readonly isAll: boolean; readonly isDryRun: boolean },
): Promise<CleanOutput> {
  const { engine } = context;
  const pruned = await pruneWorkspaces(context, isDryRun);
  const cache = await engine.pruneEnvironments({ all: isAll, dry_run: isDryRun });
  return {
    removed: cache.removed,
    workspaces: { deleted: pruned.deleted, kept: pruned.kept },
    freed_bytes: pruned.freed_bytes + cache.freed_bytes,
    dry_run: isDryRun,
  };
}

async function pruneWorkspaces(
  { call, signal }: OperationContext,
  isDryRun: boolean,
): Promise<z.infer<typeof pruneOutput>> {
  if (call === undefined) throw new Error('the workspaces need a front');
  return pruneOutput.parse(await call('workspace.prune', { dry_run: isDryRun }, signal));
}
