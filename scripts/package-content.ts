// What the package may hold, must hold, and how large it may be.
import { z } from 'zod';
import { formatBytes, mebibyte } from '../src/shared/units.ts';

/** Raised on purpose only: SPECIFICATION.md has the measured sizes. */
const mostPackedBytes = 18 * mebibyte;
const mostUnpackedBytes = 28 * mebibyte;

const entrySchema = z.object({
  filename: z.string(),
  entryCount: z.number(),
  size: z.number(),
  unpackedSize: z.number(),
  files: z.array(z.object({ path: z.string() })),
});
/** What `npm pack --json` prints */
export const packSchema = z.tuple([entrySchema]);
type Pack = z.infer<typeof entrySchema>;

const allowed = [
  /^(?:package\.json|LICENSE|[A-Z]+\.md)$/,
  /^dist\/(?:main|index)\.js$/,
  /^dist\/chunks\/[\w-]+\.js$/,
  /^dist\/types\/(?:[\w-]+\/)*[\w-]+\.d\.ts$/,
  /^dist\/NOTICE$/,
  /^dist\/guest\/(?:vmlinuz|initramfs\.img|kit\.json|NOTICE)$/,
  /^docs\/(?:[\w-]+\/)*[\w-]+\.md$/,
  // The picture of the README.
  /^docs\/terminal\.svg$/,
  /^examples\/[\w-]+\.(?:md|sh|py|ts)$/,
  /^skills\/[\w-]+\/SKILL\.md$/,
];

const needed = [
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'SECURITY.md',
  'dist/main.js',
  'dist/index.js',
  'dist/types/index.d.ts',
  'dist/NOTICE',
  'dist/guest/vmlinuz',
  'dist/guest/initramfs.img',
  'dist/guest/kit.json',
  'dist/guest/NOTICE',
  'docs/reference/cli.md',
];

/** A sentence on the size. Throws when something is too much, or missing. */
export function checkContent({ size, unpackedSize, files }: Pack): string {
  const paths = files.map(({ path }) => path);
  const foreign = paths.filter((path) => !allowed.some((pattern) => pattern.test(path)));
  const missing = needed.filter((path) => !paths.includes(path));
  if (foreign.length > 0) throw new Error(`the package holds what does not belong into it: ${foreign.join(', ')}`);
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(', ')}`);
  const sizes = `${formatBytes(size)} packed of ${formatBytes(mostPackedBytes)}, ${formatBytes(unpackedSize)} unpacked of ${formatBytes(mostUnpackedBytes)}`;
  if (size > mostPackedBytes || unpackedSize > mostUnpackedBytes) throw new Error(`the package is too large: ${sizes}`);
  return sizes;
}
