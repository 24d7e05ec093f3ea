// The environments that are here already, by the small files that name them: nothing is asked and nothing is started.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readOwnFileNow } from '../system/files.ts';

const mostRefs = 100;
const refSchema = z.object({ name: z.string().min(1).max(200) });

/** Names, sorted; what cannot be read is not there. */
export function cachedEnvironments(cache: string): string[] {
  const folder = join(cache, 'refs');
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
    return files
      .slice(0, mostRefs)
      .flatMap((file) => {
        const ref = refSchema.safeParse(JSON.parse(readOwnFileNow(join(folder, file))));
        return ref.success ? [ref.data.name] : [];
      })
      .sort();
  } catch {
    // No cache yet, or one that is being written: it is only told what is there.
    return [];
  }
}

/** Those that do most jobs come first, where the one that fits cannot be had. */
const preferred = ['debian:12-dev', 'debian:12-build', 'debian:12'];

export function standIn(cached: readonly string[], wanted: string): string | undefined {
  const others = cached.filter((name) => name !== wanted);
  return preferred.find((name) => others.includes(name)) ?? others[0];
}
