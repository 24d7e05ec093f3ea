// Pulling from a real registry on loopback: what arrives in the image, and what is refused.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pruneStore } from '../../src/environment/prune.ts';
import { pullEnvironment } from '../../src/environment/pull.ts';
import { openStore, resolveEnvironment, type Store } from '../../src/environment/store.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { createPuller } from '../support/pull.ts';
import {
  pushImage,
  putManifest,
  registryMissing,
  startBreakingProxy,
  startRegistry,
  type TestRegistry,
} from '../support/registry.ts';

let registry: TestRegistry;
let folder: string;
let store: Store;

async function pull(name: string) {
  return await pullEnvironment({
    store,
    name,
    source: 'auto',
    signal: AbortSignal.timeout(60_000),
    onProgress: noProgress,
  });
}

function listing(image: string): string {
  return spawnSync('unsquashfs', ['-lln', image], { encoding: 'utf8', maxBuffer: 1 << 26 }).stdout;
}

function content(image: string, path: string): string {
  return spawnSync('unsquashfs', ['-cat', image, path], { encoding: 'utf8' }).stdout;
}

describe.skipIf(registryMissing !== undefined)(
  `pull${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    beforeAll(async () => {
      registry = await startRegistry();
      folder = mkdtempSync(join(tmpdir(), 'pyro-store-'));
      store = openStore(folder);
    });
    afterAll(async () => {
      await registry?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('merges layers with modes, owners, links, long names and whiteouts', async () => {
      const longName = 'n'.repeat(255);
      const deep = `${'d'.repeat(100)}/${'e'.repeat(100)}/${longName}`;
      await pushImage(
        registry.host,
        'merge',
        [
          {
            entries: [
              { name: 'bin/', type: 'directory', mode: 0o755 },
              { name: 'bin/su', mode: 0o4755, uid: 0, gid: 7, data: 'su' },
              { name: 'gone', data: 'gone' },
              { name: 'opaque/', type: 'directory' },
              { name: 'opaque/old', data: 'old' },
              { name: 'first', data: 'shared data' },
              { name: 'second', type: 'link', linkname: 'first' },
              { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
              { name: deep, data: 'deep' },
            ],
          },
          {
            compression: 'zstd',
            entries: [
              { name: '.wh.gone' },
              { name: 'opaque/.wh..wh..opq' },
              { name: 'opaque/new', data: 'new' },
              { name: '/absolute', data: 'abs' },
            ],
          },
          {
            compression: 'none',
            entries: [{ name: '.wh.first' }, { name: 'tmp/', type: 'directory', mode: 0o1777, uid: 5, gid: 6 }],
          },
        ],
        { Env: ['A=b'], WorkingDir: '/bin', User: '7' },
      );
      const { environment, outcome } = await pull(`${registry.host}/merge`);
      expect(outcome).toBe('pulled');
      const lines = listing(environment.imagePath);
      expect(lines).toMatch(/-rwsr-xr-x 0\/7 .*\/bin\/su$/m);
      expect(lines).toMatch(/drwxrwxrwt 5\/6 .*\/tmp$/m);
      expect(lines).toMatch(/crw-rw-rw- .*\/dev\/null$/m);
      expect(lines).not.toMatch(/gone|opaque\/old|\/first$|\.wh\./m);
      expect(content(environment.imagePath, 'second')).toBe('shared data');
      expect(content(environment.imagePath, 'opaque/new')).toBe('new');
      expect(content(environment.imagePath, 'absolute')).toBe('abs');
      expect(content(environment.imagePath, deep)).toBe('deep');
      expect(environment.record.config).toMatchObject({ env: ['A=b'], working_dir: '/bin', user: '7' });
      expect((await pull(`${registry.host}/merge`)).outcome).toBe('up_to_date');
    });

    it('says that an image changed', async () => {
      await pushImage(registry.host, 'moving', [{ entries: [{ name: 'a', data: '1' }] }]);
      const before = await pull(`${registry.host}/moving`);
      await pushImage(registry.host, 'moving', [{ entries: [{ name: 'a', data: '2' }] }]);
      const after = await pull(`${registry.host}/moving`);
      expect(after).toMatchObject({ outcome: 'changed', previousDigest: before.environment.digest });
    });

    it('takes linux/amd64 from an index, and refuses an index without it', async () => {
      const { digest } = await pushImage(registry.host, 'multi', [{ entries: [{ name: 'amd64', data: 'x' }] }]);
      const type = 'application/vnd.oci.image.index.v1+json';
      const index = (architecture: string): Buffer =>
        Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: type,
            manifests: [
              {
                mediaType: 'application/vnd.oci.image.manifest.v1+json',
                digest,
                size: manifestSize,
                platform: { os: 'linux', architecture },
              },
            ],
          }),
        );
      const manifestSize = (
        await (
          await fetch(`http://${registry.host}/v2/multi/manifests/${digest}`, {
            headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
          })
        ).arrayBuffer()
      ).byteLength;
      await putManifest(registry.host, 'multi', 'all', index('amd64'), type);
      await putManifest(registry.host, 'multi', 'arm', index('arm64'), type);
      expect((await pull(`${registry.host}/multi:all`)).environment.digest).toBe(digest);
      await expect(pull(`${registry.host}/multi:arm`)).rejects.toMatchObject({ code: 'image_unsupported' });
    });

    it('goes on where a broken connection stopped', async () => {
      await pushImage(registry.host, 'big', [{ entries: [{ name: 'noise', data: randomBytes(400_000) }] }]);
      const proxy = await startBreakingProxy(registry.host);
      try {
        await pull(`${proxy.host}/big`);
        expect(proxy.ranges).toEqual([expect.stringMatching(/^bytes=[1-9]\d+-$/)]);
      } finally {
        proxy.server.close();
      }
    });

    it('refuses a blob whose bytes are not what its digest says, and keeps nothing of it', async () => {
      const { layerDigests } = await pushImage(registry.host, 'corrupt', [
        { entries: [{ name: 'c', data: 'the right content, once' }] },
      ]);
      const hex = (layerDigests[0] ?? '').replace('sha256:', '');
      const path = join(registry.folder, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
      const size = spawnSync('stat', ['-c', '%s', path], { encoding: 'utf8' }).stdout.trim();
      writeFileSync(path, Buffer.alloc(Number(size), 7));
      await expect(pull(`${registry.host}/corrupt`)).rejects.toMatchObject({ code: 'digest_mismatch' });
      expect(readdirSync(join(folder, 'blobs/sha256')).filter((name) => name.startsWith(hex))).toEqual([]);
    });

    it('refuses a pinned digest that the registry does not have', async () => {
      await expect(pull(`${registry.host}/merge@sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({
        code: 'image_not_found',
      });
    });

    it('refuses a layer that leads out of the image', async () => {
      await pushImage(registry.host, 'escape', [{ entries: [{ name: '../../escape', data: 'x' }] }]);
      await expect(pull(`${registry.host}/escape`)).rejects.toMatchObject({ code: 'image_invalid' });
    });

    it('says when the image or the registry is not there', async () => {
      await expect(pull(`${registry.host}/nothing`)).rejects.toMatchObject({ code: 'image_not_found' });
      await expect(pull('127.0.0.1:1/nothing')).rejects.toMatchObject({ code: 'registry_unreachable' });
    });

    it('writes nothing through what is planted in the place of half a download', async () => {
      await pushImage(registry.host, 'planted', [{ entries: [{ name: 'p', data: 'planted' }] }]);
      const [first, second] = [createPuller(), createPuller()];
      try {
        await first.pull(`${registry.host}/planted`);
        const [hex = ''] = readdirSync(join(first.folder, 'blobs', 'sha256'));
        const blobs = join(second.folder, 'blobs', 'sha256');
        mkdirSync(blobs, { recursive: true });
        const outside = join(second.folder, 'outside');
        writeFileSync(outside, 'of the host');
        symlinkSync(outside, join(blobs, `${hex}.partial`));
        symlinkSync(outside, join(blobs, hex));
        await second.pull(`${registry.host}/planted`);
        expect(readFileSync(outside, 'utf8')).toBe('of the host');
      } finally {
        first.remove();
        second.remove();
      }
    });

    it('leaves no partial file, and prunes merged layers but not the images', async () => {
      await pushImage(registry.host, 'pruned', [{ entries: [{ name: 'p', data: 'to be pruned' }] }]);
      await pull(`${registry.host}/pruned`);
      const files = readdirSync(folder, { recursive: true }).map(String);
      expect(files.filter((name) => name.includes('.partial'))).toEqual([]);
      const { freed_bytes: freed } = await pruneStore(store, { isAll: false });
      expect(freed).toBeGreaterThan(0);
      expect(await resolveEnvironment(store, `${registry.host}/pruned`)).toBeDefined();
    });

    it('reports an image file that was cut as damaged', async () => {
      await pushImage(registry.host, 'cut', [{ entries: [{ name: 'c', data: 'to be cut' }] }]);
      const { environment } = await pull(`${registry.host}/cut`);
      writeFileSync(environment.imagePath, 'short');
      await expect(resolveEnvironment(store, `${registry.host}/cut`)).rejects.toMatchObject({
        code: 'environment_damaged',
      });
    });
  },
);
