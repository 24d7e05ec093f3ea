// Files of a guest to the host, written outside the daemon.
import { type ExportRequest, type ExportResult, exportTree } from '../../changes/export.ts';
import { guestFilesOf, type Job } from '../jobs/job.ts';
import { SecretWatch } from './secret-watch.ts';

export interface ExportJobInput {
  readonly plan: Omit<ExportRequest, 'workFolder'>;
  /** Only secrets at or below this path of a patch count */
  readonly watched: string;
}

export const exportJob: Job<ExportJobInput, ExportResult> = {
  name: 'export',
  run: async ({ plan, watched }, { guests, secrets, signal, onProgress, workFolder }) => {
    const files = guestFilesOf({ guests });
    const source = secrets.isEmpty ? files : new SecretWatch(secrets, watched).files(files);
    return await exportTree(source, { ...plan, workFolder }, { signal, onProgress });
  },
};
