// Which manifest an image reference means: indexes name platforms, or do not, or name further indexes.
import { z } from 'zod';
import { isPyroError, PyroError } from '../shared/errors.ts';
import {
  checkDigest,
  digestOf,
  digestSchema,
  type Manifest,
  otherPlatform,
  parseConfig,
  parseJson,
  parseManifest,
  platformOf,
  wantedPlatform,
} from './manifest.ts';

const mostIndexed = 1000;
const mostFetched = 40;
const deepestIndex = 4;

const indexSchema = z.object({ manifests: z.array(z.unknown()).max(mostIndexed) });
const text = z.string().nullish();
const indexedSchema = z.object({
  digest: digestSchema,
  artifactType: text,
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: z.object({ os: text, architecture: text, variant: text }).nullish(),
});
type Indexed = z.infer<typeof indexedSchema>;

/** What a registry is asked for on the way */
export interface Documents {
  readonly manifest: (digest: string) => Promise<Buffer>;
  readonly config: (digest: string) => Promise<Buffer>;
}

export interface ChosenManifest {
  readonly manifest: Manifest;
  readonly digest: string;
}

interface Search {
  readonly image: string;
  readonly documents: Documents;
  readonly offered: Set<string>;
  fetched: number;
}

/** The manifest for linux/amd64 behind this document. Throws `image_unsupported`, `image_invalid`, `digest_mismatch`. */
export async function chooseManifest(first: Buffer, image: string, documents: Documents): Promise<ChosenManifest> {
  const search: Search = { image, documents, offered: new Set(), fetched: 0 };
  const entries = entriesOf(first);
  if (entries === undefined) return { manifest: parseManifest(first, image), digest: digestOf(first) };
  const chosen = await chooseAmong(entries, search, 1);
  if (chosen !== undefined) return chosen;
  throw otherPlatform(image, [...search.offered].slice(0, 8).join(', ') || 'nothing that runs');
}

/** Entries of an index, those that cannot be read left out; undefined for a document that is none. */
export function entriesOf(bytes: Buffer): Indexed[] | undefined {
  const index = indexSchema.safeParse(parseJson(bytes));
  if (!index.success) return undefined;
  return index.data.manifests.flatMap((entry) => indexedSchema.safeParse(entry).data ?? []).filter(isRunnable);
}

/** Signatures and attestations lie beside images in one index. */
function isRunnable({ artifactType, annotations, platform }: Indexed): boolean {
  if (artifactType || annotations?.['vnd.docker.reference.type'] !== undefined) return false;
  return platform?.os !== 'unknown' && platform?.architecture !== 'unknown';
}

/** A variant such as v3 asks for more than every processor has. */
function variantLevel({ platform }: Indexed): number {
  return Number(/^v([1-9])$/.exec(platform?.variant ?? '')?.[1] ?? 1);
}

async function chooseAmong(
  entries: readonly Indexed[],
  search: Search,
  depth: number,
): Promise<ChosenManifest | undefined> {
  const named = entries.filter(({ platform }) => platformOf(platform ?? {}) === wantedPlatform);
  for (const entry of named.sort((a, b) => variantLevel(a) - variantLevel(b))) {
    const bytes = await fetchNext(entry, search);
    const inner = entriesOf(bytes);
    if (inner === undefined) return { manifest: parseManifest(bytes, search.image), digest: entry.digest };
    const chosen = depth < deepestIndex ? await chooseAmong(inner, search, depth + 1) : undefined;
    if (chosen !== undefined) return chosen;
  }
  // An entry need not name a platform: its configuration does.
  for (const entry of entries.filter(({ platform }) => platformOf(platform ?? {}) === undefined)) {
    const bytes = await fetchNext(entry, search);
    const inner = entriesOf(bytes);
    const chosen =
      inner === undefined
        ? await asConfigured(bytes, entry, search)
        : depth < deepestIndex
          ? await chooseAmong(inner, search, depth + 1)
          : undefined;
    if (chosen !== undefined) return chosen;
  }
  for (const { platform } of entries) {
    const told = platformOf(platform ?? {});
    if (told !== undefined && told !== wantedPlatform) search.offered.add(told);
  }
  return undefined;
}

/** The manifest if it is that of an image for this platform. */
async function asConfigured(bytes: Buffer, { digest }: Indexed, search: Search): Promise<ChosenManifest | undefined> {
  try {
    const manifest = parseManifest(bytes, search.image);
    const config = await search.documents.config(manifest.config.digest);
    checkDigest(config, manifest.config.digest, 'configuration');
    parseConfig(config, manifest, search.image);
    return { manifest, digest };
  } catch (error) {
    if (!isPyroError(error, 'image_unsupported', 'image_invalid')) throw error;
    const { platform } = error.details;
    search.offered.add(typeof platform === 'string' ? platform : 'something that is not an image');
    return undefined;
  }
}

async function fetchNext({ digest }: Indexed, search: Search): Promise<Buffer> {
  if (++search.fetched > mostFetched) {
    throw new PyroError(
      'image_unsupported',
      `the index of ${search.image} does not say which image is for ${wantedPlatform}`,
      {
        hint: 'pull the image you mean by its digest: NAME@sha256:…',
      },
    );
  }
  const bytes = await search.documents.manifest(digest);
  checkDigest(bytes, digest, 'manifest');
  return bytes;
}
