// The numbers of a workspace's summary: which files changed and by how many lines.
import type { GuestFiles } from '../agent/file-types.ts';
import { collectDiff } from './diff.ts';
import { countLines, type DiffEntry } from './diff-types.ts';
import type { WorkContext } from './git-lab.ts';

export interface ChangeNumbers {
  readonly file_count: number;
  /** Lines of text files added and taken away */
  readonly additions: number;
  readonly deletions: number;
  readonly files: readonly Pick<DiffEntry, 'path' | 'old_path' | 'status' | 'additions' | 'deletions' | 'is_binary'>[];
}

export async function summarizeChanges(
  files: GuestFiles,
  request: { readonly workFolder: string },
  context: WorkContext,
): Promise<ChangeNumbers> {
  await using diff = await collectDiff(files, { workFolder: request.workFolder, isStatOnly: true }, context);
  return {
    file_count: diff.entries.length,
    ...countLines(diff.entries),
    files: diff.entries.map(({ path, old_path, status, additions, deletions, is_binary }) => ({
      path,
      old_path,
      status,
      additions,
      deletions,
      is_binary,
    })),
  };
}
