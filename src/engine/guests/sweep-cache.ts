// What makers of images and templates have left in the cache when they were killed: removed where nobody makes the same thing now.
import { sweepStore } from '../../environment/prune.ts';
import { openStore } from '../../environment/store.ts';
import { sweepTemplates } from '../../machine/template-sweep.ts';
import { openProjectStore, sweepProjectImages } from '../../project/project-store.ts';
import type { Paths } from '../../system/paths.ts';

export async function sweepCache({ cache }: Paths, signal: AbortSignal): Promise<void> {
  await sweepStore(openStore(cache), signal);
  signal.throwIfAborted();
  await sweepProjectImages(openProjectStore(cache));
  signal.throwIfAborted();
  await sweepTemplates(cache);
}
