// How much of a workspace has changed since its seed, counted outside the daemon.
import { countTakenBack } from '../../changes/apply-base.ts';
import { collectDiff } from '../../changes/diff.ts';
import { countLines } from '../../changes/diff-types.ts';
import type { ChangeCounts } from '../../contract/records.ts';
import { guestFilesOf, type Job } from '../jobs/job.ts';
import { appliedKeys } from './applied-record.ts';

/** `folder` is the workspace's own. */
export const countJob: Job<{ readonly folder: string }, ChangeCounts> = {
  name: 'count-changes',
  run: async ({ folder }, { guests, signal, workFolder }) => {
    const files = guestFilesOf({ guests });
    await using diff = await collectDiff(files, { workFolder, isStatOnly: true }, { signal });
    // What was brought home and taken back since stands in no diff, and is not home either.
    const changed = new Set(diff.entries.flatMap(({ path, old_path: old }) => [path, old]));
    const applied = await appliedKeys(folder);
    const unlisted = applied.filter((key) => !changed.has(Buffer.from(key, 'latin1').toString('utf8')));
    const back = await countTakenBack(files, unlisted, { signal });
    return { files: diff.entries.length + back, ...countLines(diff.entries), digest: diff.digest };
  },
};
