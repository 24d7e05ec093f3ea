// A patch into a guest, worked out outside the daemon.
import { applyPatch, type PatchResult } from '../../changes/patch-apply.ts';
import { guestFilesOf, type Job } from '../jobs/job.ts';

export const patchJob: Job<{ readonly patch: string }, PatchResult> = {
  name: 'patch',
  run: async ({ patch }, { guests, signal, onProgress, workFolder }) => {
    return await applyPatch(guestFilesOf({ guests }), { workFolder, patch }, { signal, onProgress });
  },
};
