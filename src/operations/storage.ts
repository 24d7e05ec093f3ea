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
  title: 'Show the disk space that pyro uses',
  summary: 'Show what pyro keeps on disk, and what could be removed',
  details: 'A file that several things share counts once. What could be removed is what pyro clean would remove.',
  effect: 'read',
  place: 'front',
  positionals: [],
  input: dfInput,
  output: dfOutput,
  examples: [{ why: 'Where the space went', command: 'pyro df' }],
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
    return `${table}\n${formatBytes(some)} can be freed: pyro clean\n${formatBytes(all)} with everything that can be recreated: pyro clean --all\n`;
  },
});

type CleanOutput = z.infer<typeof cleanOutput>;

export const clean = defineOperation({
  name: 'clean',
  title: 'Free disk space',
  summary: 'Remove what nothing needs, after asking',
  details:
    'That is leftovers in the cache, and stopped workspaces without work. It shows what it would remove and asks first. Work that was not brought home is never removed, nor is anything running. With --all, cached environments, templates and projects go, too: they are recreated when needed, which takes a download or a build.',
  effect: 'destroy',
  place: 'front',
  positionals: [],
  input: cleanInput,
  output: cleanOutput,
  examples: [
    { why: 'Free some space', command: 'pyro clean' },
    { why: 'What would it do?', command: 'pyro clean --all --dry-run' },
    { why: 'In a script', command: 'pyro clean --force' },
  ],
  run: async (context, { all, dry_run: isDryRun }) => await sweep(context, { isAll: all, isDryRun }),
  question: (preview) => {
    const isNothing = preview.removed.length === 0 && preview.workspaces.deleted.length === 0;
    return isNothing ? undefined : `${cleanText(preview)}Remove all of this?`;
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
  if (call === undefined) throw new Error('this interface cannot list workspaces');
  return pruneOutput.parse(await call('workspace.prune', { dry_run: isDryRun }, signal));
}
