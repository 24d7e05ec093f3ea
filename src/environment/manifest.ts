// Manifests, indexes and configurations of images: parsed with bounds, and what platform they are for.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { formatCount } from '../shared/units.ts';

const mostLayers = 1000;
export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptorSchema = z.object({
  digest: digestSchema,
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  mediaType: z.string().max(255).optional(),
});
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema).max(mostLayers) });
const oldSchema = z.object({ schemaVersion: z.literal(1) });
const configSchema = z.object({
  architecture: z.string().optional(),
  os: z.string().optional(),
  // Some tools leave it out; the digests of the layers as they came have been checked anyway.
  rootfs: z.object({ diff_ids: z.array(digestSchema).max(mostLayers).nullish() }).nullish(),
  config: z
    .object({
      Env: z.array(z.string()).nullish(),
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
    })
    .nullish(),
});

/** What an image's configuration calls itself; charts, signatures and other artifacts do not. */
const configTypes = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/octet-stream',
]);

export const wantedPlatform = 'linux/amd64';

export type Manifest = z.infer<typeof manifestSchema>;
export type ImageConfig = z.infer<typeof configSchema>;

/** Kinds of documents that a registry is asked for. */
export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** `os/architecture` in one spelling; undefined where the image does not tell, which stands for nothing in particular. */
export function platformOf(told: {
  os?: string | null | undefined;
  architecture?: string | null | undefined;
}): string | undefined {
  if (!told.os || !told.architecture) return undefined;
  const architecture = told.architecture.toLowerCase();
  return `${told.os.toLowerCase()}/${/^x86[_-]64$/.test(architecture) ? 'amd64' : architecture}`;
}

/** Throws `image_invalid` or, for what is not an image of layers, `image_unsupported`. */
export function parseManifest(bytes: Buffer, image: string): Manifest {
  if (oldSchema.safeParse(parseJson(bytes)).success) {
    throw new PyroError('image_unsupported', `${image} has a manifest of the retired schema 1`, {
      hint: 'push the image again with a current tool, or pull a newer tag',
    });
  }
  const manifest = parse(manifestSchema, bytes, 'manifest');
  const encrypted = manifest.layers.findIndex(({ mediaType }) => mediaType?.endsWith('+encrypted'));
  if (encrypted >= 0) {
    throw new PyroError('image_unsupported', `layer ${encrypted + 1} of ${image} is encrypted`, {
      hint: 'decrypt the image, for example with skopeo copy --decryption-key, and pull the copy',
    });
  }
  if (configTypes.has(manifest.config.mediaType || 'application/octet-stream')) return manifest;
  throw new PyroError('image_unsupported', `${image} is not an image but ${manifest.config.mediaType}`, {
    hint: 'pull a reference of a container image; pyro env list shows the catalogue',
  });
}

/** The configuration that belongs to the manifest. Throws `image_invalid` or `image_unsupported`. */
export function parseConfig(bytes: Buffer, manifest: Manifest, image: string): ImageConfig {
  const config = parse(configSchema, bytes, 'configuration');
  const platform = platformOf({ os: config.os || 'linux', architecture: config.architecture || 'amd64' });
  if (platform !== wantedPlatform) throw otherPlatform(image, platform ?? '?');
  const [layers, diffIds] = [manifest.layers.length, config.rootfs?.diff_ids?.length ?? 0];
  if (layers === diffIds || diffIds === 0) return config;
  throw new PyroError(
    'image_invalid',
    `the image has ${formatCount(layers, 'layer')} but ${formatCount(diffIds, 'diff_id')}`,
    {
      hint: 'the image is damaged; pull another tag or ask its maintainer',
    },
  );
}

/** Throws `digest_mismatch` unless the bytes have the expected digest; undefined expects nothing. */
export function checkDigest(bytes: Buffer, expected: string | undefined, what: string): void {
  if (expected === undefined || digestOf(bytes) === expected) return;
  throw new PyroError('digest_mismatch', `the registry sent a different ${what} than ${expected}`, {
    hint: 'nothing was used; check the digest, or pull the tag without it to see what it names now',
  });
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  throw new PyroError('image_invalid', `the image's ${what} does not parse`, {
    hint: 'the reference may not be that of an image; check it, or pull another one',
    cause: parsed.error,
  });
}

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // The schema reports it.
    return undefined;
  }
}

export function otherPlatform(image: string, found: string): PyroError {
  return new PyroError('image_unsupported', `${image} is not for ${wantedPlatform}, only for: ${found}`, {
    hint: `use an image that has a ${wantedPlatform} variant`,
    details: { platform: found },
  });
}
