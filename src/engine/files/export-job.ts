// Files of a guest to the host, written outside the daemon.
import { createGuestFiles } from '../../agent/guest-files.ts';
import { type ExportRequest, type ExportResult, exportTree } from '../../changes/export.ts';
import type { Job } from '../jobs/job.ts';
import { SecretWatch } from './secret-watch.ts';

export interface ExportJobInput {
  readonly plan: Omit<ExportRequest, 'workFolder'>;
  /** Only secrets at or below this path of a patch count */
  readonly watched: string;
}

export const exportJob: Job<ExportJobInput, ExportResult> = {
  name: 'export',
  run: async ({ plan, watched }, { guests: [guest], secrets, signal, onProgress, workFolder }) => {
    if (guest === undefined) throw new Error('an export without a guest');
    const files = createGuestFiles(guest);
    const source = secrets.isEmpty ? files : new SecretWatch(secrets, watched).files(files);
    return await exportTree(source, { ...plan, workFolder }, { signal, onProgress });
  },
};
