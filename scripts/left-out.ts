// Names the packages for this kind of machine that npm left out of node_modules; nothing is printed when all are there.
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

const lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      optional: z.boolean().optional(),
      os: z.array(z.string()).optional(),
      cpu: z.array(z.string()).optional(),
      libc: z.array(z.string()).optional(),
    }),
  ),
});

const fits = (wanted: readonly string[] | undefined, own: string): boolean =>
  wanted === undefined || wanted.includes(own);

const { packages } = lock.parse(JSON.parse(readFileSync('package-lock.json', 'utf8')));
for (const [path, { optional, os, cpu, libc }] of Object.entries(packages)) {
  // What fits everywhere may belong to a package that is left out with good reason.
  if (optional !== true || os === undefined) continue;
  const isOurs = fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc');
  if (isOurs && !existsSync(path)) process.stdout.write(`${path}\n`);
}
