// Every job that a process of its own can be given.

import { applyJob } from './changes/apply-job.ts';
import { diffJob, systemJob } from './changes/diff-job.ts';
import { patchJob } from './changes/patch-job.ts';
import { diskTreeJob } from './files/disk-jobs.ts';
import { exportJob } from './files/export-job.ts';
import { syncJob } from './files/sync-job.ts';
import { seedJob } from './guests/seed-job.ts';
import type { AnyJob } from './jobs/job-program.ts';
import { countJob } from './workspace/count-job.ts';

export const jobs: readonly AnyJob[] = [
  applyJob,
  countJob,
  diffJob,
  diskTreeJob,
  exportJob,
  patchJob,
  seedJob,
  syncJob,
  systemJob,
];
