// Images as other tools write them: eStargz, zstd:chunked, odd media types, no diff_ids, many layers, many files.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gibibyte, mebibyte } from '../../../src/shared/units.ts';
import { padding, writeHeader } from '../../../src/system/tar-write.ts';
import { createPuller, type Puller } from '../../support/pull.ts';
import {
  pushBlob,
  pushImage,
  putManifest,
  registryMissing,
  startRegistry,
  type TestRegistry,
  tarOf,
} from '../../support/registry.ts';
import { plainFile } from '../../support/tar-entry.ts';

let registry: TestRegistry;
let puller: Puller;
let count = 0;

const patient = { answerMs: 60_000, idleMs: 60_000, pauseMs: 10 };
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

function listing(image: string): string[] {
  const { stdout } = spawnSync('unsquashfs', ['-l', image], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return stdout.split('\n').flatMap((line) => (line.startsWith('squashfs-root/') ? [line.slice(14)] : []));
}

function content(image: string, path: string): string {
  return spawnSync('unsquashfs', ['-cat', image, path], { encoding: 'latin1' }).stdout;
}

async function pulled(name: string): Promise<string> {
  const signal = AbortSignal.timeout(120_000);
  return (await puller.pull(`${registry.host}/${name}`, patient, signal)).environment.imagePath;
}

/** Pushes a manifest of these documents; what is not named is as usual. */
async function pushManifest(
  config: object,
  layers: readonly { bytes: Buffer; mediaType?: string }[],
  more: object = {},
) {
  const name = `field-${++count}`;
  const pushed: object[] = [];
  for (const { bytes, mediaType } of layers)
    pushed.push({ ...(await pushBlob(registry.host, name, bytes)), ...(mediaType === undefined ? {} : { mediaType }) });
  const described = await pushBlob(registry.host, name, Buffer.from(JSON.stringify(config)));
  const mediaType = 'application/vnd.oci.image.config.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { ...described, mediaType },
    layers: pushed,
    ...more,
  };
  await putManifest(registry.host, name, 'latest', Buffer.from(JSON.stringify(manifest)), manifestType);
  return name;
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const configOf = (...tars: readonly Buffer[]): object => ({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
});

describe.skipIf(registryMissing !== undefined)(
  `images of the field${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    beforeAll(async () => {
      registry = await startRegistry();
      puller = createPuller();
    });
    afterAll(async () => {
      await registry?.stop();
      puller?.remove();
    });

    it('in eStargz: a gzip member for each file, and the table of contents at the end', async () => {
      const tar = await tarOf([
        { name: 'bin/', type: 'directory' },
        { name: 'bin/a', data: 'content' },
        { name: '.no.prefetch.landmark', data: '\x0f' },
        { name: 'stargz.index.json', data: '{"version":1,"entries":[]}' },
      ]);
      // Its footer is an empty member whose extra field says where the table begins.
      const footer = Buffer.from(
        '1f8b080400000000 00ff 1a00 5347 1600 30303030303030303030303030303030 5354415247 5a 010000ffff 00000000 00000000'.replaceAll(
          ' ',
          '',
        ),
        'hex',
      );
      const members = [tar.subarray(0, 512), tar.subarray(512, 1536), tar.subarray(1536)].map((part) => gzipSync(part));
      const name = await pushManifest(configOf(tar), [
        { bytes: Buffer.concat([...members, footer]), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' },
      ]);
      expect(content(await pulled(name), 'bin/a')).toBe('content');
    });

    it('in zstd:chunked: frames of data, and frames to skip with the table of contents', async () => {
      const tar = await tarOf([{ name: 'a', data: 'content' }]);
      const skipped = Buffer.concat([Buffer.from('502a4d1804000000', 'hex'), Buffer.from('TOC.')]);
      const frames = [tar.subarray(0, 700), tar.subarray(700)].map((part) => zstdCompressSync(part));
      const bytes = Buffer.concat([...frames, skipped, skipped]);
      const name = await pushManifest(configOf(tar), [
        { bytes, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' },
      ]);
      expect(content(await pulled(name), 'a')).toBe('content');
    });

    it('with layers of odd media types, or of none, and with empty ones', async () => {
      const a = await tarOf([{ name: 'a', data: '1' }]);
      const b = await tarOf([{ name: 'b', data: '2' }]);
      const empty = Buffer.alloc(1024);
      const name = await pushManifest(configOf(a, b, empty, Buffer.alloc(0)), [
        { bytes: a, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' },
        { bytes: gzipSync(b) },
        { bytes: gzipSync(empty), mediaType: 'application/x-tar' },
        { bytes: gzipSync(Buffer.alloc(0)), mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar' },
      ]);
      expect(listing(await pulled(name)).sort()).toEqual(['a', 'b']);
    });

    it.each([
      ['no rootfs', {}],
      ['a rootfs of null', { rootfs: null }],
      ['no diff_ids', { rootfs: { type: 'layers' } }],
      ['empty diff_ids', { rootfs: { type: 'layers', diff_ids: [] } }],
      ['empty names of its platform', { architecture: '', os: '', config: null }],
    ])('with %s in the configuration', async (_name, config) => {
      const name = await pushManifest(config, [{ bytes: gzipSync(await tarOf([{ name: 'a', data: '1' }])) }]);
      expect(listing(await pulled(name))).toEqual(['a']);
    });

    it('with no layers at all', async () => {
      expect(listing(await pulled(await pushManifest(configOf(), [])))).toEqual([]);
    });

    it.each([
      [
        'an artifact',
        { config: { mediaType: 'application/vnd.cncf.helm.config.v1+json' } },
        /is not an image but .*helm/,
      ],
      [
        'an encrypted image',
        { layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }] },
        /layer 1 .*encrypted/,
      ],
    ])(
      'that are none are told by name: %s',
      async (_name, { config, layers }: { config?: object; layers?: object[] }, message) => {
        const name = `field-${++count}`;
        const blob = await pushBlob(registry.host, name, Buffer.from('{}'));
        const manifest = {
          schemaVersion: 2,
          mediaType: manifestType,
          config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...blob, ...config },
          layers: (layers ?? []).map((layer) => ({ ...layer, ...blob })),
        };
        await putManifest(registry.host, name, 'latest', Buffer.from(JSON.stringify(manifest)), manifestType);
        await expect(pulled(name)).rejects.toMatchObject({
          code: 'image_unsupported',
          message: expect.stringMatching(message),
        });
      },
    );

    it('of 300 layers, each of which replaces, hides and adds', async () => {
      const layers = Array.from({ length: 300 }, (_, index) => ({
        entries: [
          { name: 'same', data: `${index}` },
          { name: `d${index}/`, type: 'directory' as const },
          { name: `d${index}/own`, data: `${index}` },
          ...(index > 1 ? [{ name: `.wh.d${index - 2}` }] : []),
        ],
      }));
      await pushImage(registry.host, 'layers', layers);
      const image = await pulled('layers');
      expect(listing(image).sort()).toEqual(['d298', 'd298/own', 'd299', 'd299/own', 'same']);
      expect(content(image, 'same')).toBe('299');
    });

    it('of 100,000 files, hidden in part by a layer above', async () => {
      const parts: Buffer[] = [];
      for (let index = 0; index < 100_000; index++) {
        const data = Buffer.from(`${index}`);
        parts.push(
          writeHeader({ ...plainFile, name: `d${index % 100}/${index}`, size: data.length }),
          data,
          padding(data.length),
        );
      }
      const marks = Array.from({ length: 50 }, (_, index) => ({ name: `.wh.d${index}` }));
      await pushImage(registry.host, 'files', [
        { tar: Buffer.concat([...parts, Buffer.alloc(1024)]) },
        { entries: marks },
      ]);
      const image = await pulled('files');
      expect(listing(image).length).toBe(50 * 1000 + 50);
      expect(content(image, 'd77/12377')).toBe('12377');
    });

    it('with a GiB in one file, in a fraction of that memory', async () => {
      const piece = Buffer.alloc(16 * mebibyte, 'sixteen mebibytes of the same few words, ');
      const head = writeHeader({ ...plainFile, name: 'big', size: gibibyte });
      const hash = createHash('sha256').update(head);
      for (let index = 0; index < 64; index++) hash.update(piece);
      const end = Buffer.alloc(1024);
      // Members one behind another are one stream, so that the piece is compressed once.
      const packed = gzipSync(piece);
      const bytes = Buffer.concat([gzipSync(head), ...Array.from({ length: 64 }, () => packed), gzipSync(end)]);
      const diffId = `sha256:${hash.update(end).digest('hex')}`;
      await pushImage(registry.host, 'gib', [{ packed: bytes, diffId }, { entries: [{ name: 'small' }] }]);
      const before = process.memoryUsage().rss;
      let most = before;
      const watch = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss);
      }, 20);
      const image = await pulled('gib');
      clearInterval(watch);
      expect(most - before).toBeLessThan(256 * mebibyte);
      const long = spawnSync('unsquashfs', ['-lls', image, 'big'], { encoding: 'utf8' }).stdout;
      expect(long).toContain(` ${gibibyte} `);
      const digest = spawnSync('sh', ['-c', 'unsquashfs -cat "$1" big | sha256sum', '-', image], { encoding: 'utf8' });
      const own = createHash('sha256');
      for (let index = 0; index < 64; index++) own.update(piece);
      expect(digest.stdout).toBe(`${own.digest('hex')}  -\n`);
    });

    it('with a path as deep as the kernel takes', async () => {
      const path = `${'d/'.repeat(1900)}f`;
      await pushImage(registry.host, 'deep', [{ entries: [{ name: path, data: 'deep' }] }]);
      expect(listing(await pulled('deep'))).toContain(path);
    });
  },
);
