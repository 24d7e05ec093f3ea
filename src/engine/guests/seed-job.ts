// A project packed into its image outside the daemon: it may have very many files.
import { prepareProjectImage } from '../../project/project-image.ts';
import { openProjectStore } from '../../project/project-store.ts';
import type { ProjectImage, SeedRequest } from '../../project/project-types.ts';
import type { Job } from '../jobs/job.ts';

export const seedJob: Job<{ readonly cache: string; readonly request: SeedRequest }, ProjectImage> = {
  name: 'seed',
  run: async ({ cache, request }, { signal, onProgress }) =>
    await prepareProjectImage(openProjectStore(cache), request, { signal, onProgress }),
};
