// Indexes as tools write them: with and without platforms, nested, with attestations, under other spellings.
import { describe, expect, it } from 'vitest';
import { type ChosenManifest, chooseManifest } from '../../../src/environment/choose.ts';
import { digestOf } from '../../../src/environment/manifest.ts';

class Shelf {
  readonly documents = new Map<string, Buffer>();
  asked = 0;

  put(document: unknown): string {
    const bytes = Buffer.from(JSON.stringify(document));
    this.documents.set(digestOf(bytes), bytes);
    return digestOf(bytes);
  }

  image(config: object, more: object = {}): string {
    const digest = this.put({ rootfs: { type: 'layers', diff_ids: [] }, ...config });
    return this.put({ schemaVersion: 2, config: { digest, size: 1, ...more }, layers: [] });
  }

  async choose(digest: string): Promise<ChosenManifest> {
    const get = async (wanted: string): Promise<Buffer> => {
      this.asked++;
      return this.documents.get(wanted) ?? Buffer.alloc(0);
    };
    return await chooseManifest(await get(digest), 'image', { manifest: get, config: get });
  }
}

const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };
const unknown = { os: 'unknown', architecture: 'unknown' };

/** Digest that an index of these entries is to lead to, and the entries. */
type Scene = (shelf: Shelf) => readonly [wanted: string, entries: readonly object[]];

const scenes: Readonly<Record<string, Scene>> = {
  'one entry without a platform': (shelf) => {
    const digest = shelf.image(amd64);
    return [digest, [{ digest }]];
  },
  'entries without platforms, of which the second fits': (shelf) => {
    const digest = shelf.image(amd64);
    return [digest, [{ digest: shelf.image(arm64) }, { digest }]];
  },
  'a named platform before one without': (shelf) => {
    const digest = shelf.image(amd64, { mediaType: 'application/vnd.oci.image.config.v1+json' });
    return [digest, [{ digest: shelf.image(amd64) }, { digest, platform: amd64 }]];
  },
  'x86_64 for amd64': (shelf) => {
    const digest = shelf.image({ os: 'linux', architecture: 'x86_64' });
    return [digest, [{ digest, platform: { os: 'Linux', architecture: 'x86_64' } }]];
  },
  'a configuration that says x86-64': (shelf) => {
    const digest = shelf.image({ os: 'linux', architecture: 'x86-64' });
    return [digest, [{ digest }]];
  },
  'empty texts and nulls for no platform': (shelf) => {
    const digest = shelf.image({});
    return [
      digest,
      [
        { digest: shelf.image(arm64), platform: null },
        { digest, platform: { os: '', architecture: '' } },
      ],
    ];
  },
  'attestations beside the image': (shelf) => {
    const digest = shelf.image(amd64);
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
    const other = shelf.image({ os: 'linux', architecture: 'amd64', author: 'attestation' });
    return [digest, [{ digest: other, platform: unknown }, { digest: other, annotations }, { digest }]];
  },
  'an artifact without a platform': (shelf) => {
    const digest = shelf.image(amd64);
    const sbom = shelf.image({}, { mediaType: 'application/vnd.example.sbom' });
    return [digest, [{ digest: sbom }, { digest: sbom, artifactType: 'application/spdx+json' }, { digest }]];
  },
  'the lowest variant': (shelf) => {
    const digest = shelf.image({ ...amd64, variant: 'v1' });
    const entry = (variant: string) => ({
      digest: shelf.image({ ...amd64, variant }),
      platform: { ...amd64, variant },
    });
    return [digest, [entry('v4'), entry('v2'), { digest, platform: { ...amd64, variant: 'v1' } }]];
  },
  'indexes in an index, named and not': (shelf) => {
    const digest = shelf.image(amd64);
    const inner = shelf.put({
      manifests: [
        { digest: shelf.image(arm64), platform: arm64 },
        { digest, platform: amd64 },
      ],
    });
    const empty = shelf.put({ manifests: [] });
    return [digest, [{ digest: empty, platform: amd64 }, { digest: shelf.put({ manifests: [{ digest: inner }] }) }]];
  },
  'entries of other digests left aside': (shelf) => {
    const digest = shelf.image(amd64);
    return [digest, [{ digest: `sha512:${'0'.repeat(128)}`, platform: amd64 }, [], { digest, platform: amd64 }]];
  },
};

describe('an index leads to', () => {
  it.each(Object.entries(scenes))('%s', async (_name, scene) => {
    const shelf = new Shelf();
    const [digest, manifests] = scene(shelf);
    expect((await shelf.choose(shelf.put({ schemaVersion: 2, manifests }))).digest).toBe(digest);
  });

  it('an error that names what it has', async () => {
    const shelf = new Shelf();
    const manifests = [
      { digest: shelf.image(arm64), platform: arm64 },
      { digest: shelf.image({ os: 'windows', architecture: 'amd64' }) },
      { digest: shelf.image({}), platform: unknown },
    ];
    await expect(shelf.choose(shelf.put({ manifests }))).rejects.toMatchObject({
      code: 'image_unsupported',
      message: expect.stringMatching(/windows\/amd64, linux\/arm64$/),
    });
  });

  it('an end, however many entries it has, and however deep they are', async () => {
    const shelf = new Shelf();
    const many = Array.from({ length: 900 }, (_, index) => ({ digest: shelf.image({ ...arm64, author: `${index}` }) }));
    await expect(shelf.choose(shelf.put({ manifests: many }))).rejects.toMatchObject({ code: 'image_unsupported' });
    expect(shelf.asked).toBeLessThan(100);
    let deep = shelf.image(amd64);
    for (let turn = 0; turn < 20; turn++) deep = shelf.put({ manifests: [{ digest: deep }, { digest: deep }] });
    await expect(shelf.choose(deep)).rejects.toMatchObject({ code: 'image_unsupported' });
  });

  it('no other bytes than its digests promise', async () => {
    const shelf = new Shelf();
    const digest = `sha256:${'1'.repeat(64)}`;
    await expect(shelf.choose(shelf.put({ manifests: [{ digest, platform: amd64 }] }))).rejects.toMatchObject({
      code: 'digest_mismatch',
    });
  });
});
