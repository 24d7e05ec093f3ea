// A patch into a guest, worked out outside the daemon.
import { createGuestFiles } from '../../agent/guest-files.ts';
import { applyPatch, type PatchResult } from '../../changes/patch-apply.ts';
import type { Job } from '../jobs/job.ts';

export const patchJob: Job<{ readonly patch: string }, PatchResult> = {
  name: 'patch',
  run: async ({ patch }, { guests: [guest], signal, onProgress, workFolder }) => {
    if (guest === undefined) throw new Error('a patch without a guest');
    return await applyPatch(createGuestFiles(guest), { workFolder, patch }, { signal, onProgress });
  },
};
