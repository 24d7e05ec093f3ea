// What of an image's layers arrives in the squashfs root, read back by squashfs-tools.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pullEnvironment } from '../../../src/environment/pull.ts';
import { squashLayers } from '../../../src/environment/squash.ts';
import { openStore, type Store } from '../../../src/environment/store.ts';
import { noProgress } from '../../../src/shared/progress.ts';
import type { TarEntry } from '../../../src/system/tar-header.ts';
import { padding, writeHeader } from '../../../src/system/tar-write.ts';
import {
  pushImage,
  registryMissing,
  startRegistry,
  type TestLayer,
  type TestRegistry,
} from '../../support/registry.ts';

let registry: TestRegistry;
let folder: string;
let store: Store;
let count = 0;

/** Pushes, pulls and unpacks an image; gives its image file and the folder of its unpacked root. */
async function roundTrip(layers: readonly TestLayer[]): Promise<{ image: string; root: string; listing: string }> {
  const name = `content-${++count}`;
  await pushImage(registry.host, name, layers);
  const { environment } = await pullEnvironment({
    store,
    name: `${registry.host}/${name}`,
    source: 'registry',
    signal: AbortSignal.timeout(60_000),
    onProgress: noProgress,
  });
  const image = environment.imagePath;
  const root = join(folder, `root-${count}`);
  spawnSync('unsquashfs', ['-no-progress', '-d', root, image]);
  const listing = spawnSync('unsquashfs', ['-lln', image], { encoding: 'latin1', maxBuffer: 1 << 26 }).stdout;
  return { image, root, listing };
}

function raw(entry: Partial<TarEntry> & { name: string }, data = ''): Buffer {
  const full: TarEntry = {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    mtime: 1_700_000_000,
    linkname: '',
    devmajor: 0,
    devminor: 0,
    xattrs: [],
    ...entry,
  };
  return Buffer.concat([writeHeader(full), Buffer.from(data, 'latin1'), padding(data.length)]);
}

function archive(...entries: Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

function text(image: string, path: string): string {
  return spawnSync('unsquashfs', ['-cat', image, path], { encoding: 'latin1' }).stdout;
}

const isRoot = process.getuid?.() === 0;

describe.skipIf(registryMissing !== undefined)(
  `content of a pulled image${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    beforeAll(async () => {
      registry = await startRegistry();
      folder = mkdtempSync(join(tmpdir(), 'pyro-content-'));
      store = openStore(join(folder, 'cache'));
    });
    afterAll(async () => {
      await registry?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('keeps hard links across layers, also when the first name is gone', async () => {
      const { root, image } = await roundTrip([
        {
          entries: [
            { name: 'a', data: 'shared' },
            { name: 'lnk', type: 'symlink', linkname: 'a' },
          ],
        },
        {
          entries: [
            { name: 'b', type: 'link', linkname: 'a' },
            { name: 'c', type: 'link', linkname: '/b' },
            { name: 'lnk2', type: 'link', linkname: 'lnk' },
          ],
        },
        { entries: [{ name: '.wh.a' }] },
      ]);
      expect(existsSync(join(root, 'a'))).toBe(false);
      expect(lstatSync(join(root, 'b')).ino).toBe(lstatSync(join(root, 'c')).ino);
      expect(readlinkSync(join(root, 'lnk2'))).toBe('a');
      expect(text(image, 'c')).toBe('shared');
    });

    it('keeps the old content of a hard link when a later layer replaces its other name', async () => {
      const { image } = await roundTrip([
        {
          entries: [
            { name: 'a', data: 'old' },
            { name: 'b', type: 'link', linkname: 'a' },
          ],
        },
        { entries: [{ name: 'a', data: 'new' }] },
      ]);
      expect([text(image, 'a'), text(image, 'b')]).toEqual(['new', 'old']);
    });

    it('keeps modes, large owners, times, devices, fifos and the root folder', async () => {
      const { listing, root } = await roundTrip([
        {
          tar: archive(
            raw({ name: './', type: 'directory', mode: 0o711 }),
            raw({ name: 'big', uid: 3_000_000_000, gid: 2_500_000, mode: 0o6751 }, 'x'),
            raw({ name: 'block', type: 'block-device', devmajor: 8, devminor: 44 }),
            raw({ name: 'zero', type: 'character-device', devmajor: 1, devminor: 5, mode: 0o600 }),
            raw({ name: 'pipe', type: 'fifo', mode: 0o640 }),
            raw({ name: 'sticky', type: 'directory', mode: 0o1777 }),
          ),
        },
      ]);
      expect(listing).toMatch(/^drwx--x--x 0\/0 .* squashfs-root$/m);
      expect(listing).toMatch(/^-rwsr-s--x 3000000000\/2500000 .*\/big$/m);
      expect(listing).toMatch(/^brw-r--r-- 0\/0 +8, +44 .*\/block$/m);
      expect(listing).toMatch(/^crw------- 0\/0 +1, +5 .*\/zero$/m);
      expect(listing).toMatch(/^prw-r----- .*\/pipe$/m);
      expect(listing).toMatch(/^drwxrwxrwt .*\/sticky$/m);
      expect(lstatSync(join(root, 'big')).mtimeMs).toBe(1_700_000_000_000);
    });

    it('keeps names that are no UTF-8, and one of 255 bytes far down', async () => {
      const long = `${'d'.repeat(200)}/${'e'.repeat(120)}/${'n'.repeat(255)}`;
      const { root, image } = await roundTrip([
        { tar: archive(raw({ name: 'caf\xe9' }, 'x'), raw({ name: long }, 'deep')) },
      ]);
      expect(readdirSync(root, { encoding: 'latin1' })).toContain('caf\xe9');
      expect(text(image, long)).toBe('deep');
    });

    it.skipIf(!isRoot)('keeps extended attributes, binary ones too (needs root to read back)', async () => {
      const capability = '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0';
      const { root } = await roundTrip([
        {
          tar: archive(
            raw(
              {
                name: 'ping',
                mode: 0o755,
                xattrs: [
                  ['security.capability', capability],
                  ['user.note', 'text'],
                  ['system.posix_acl_access', 'dropped'],
                ],
              },
              'x',
            ),
          ),
        },
      ]);
      const { stdout } = spawnSync('getfattr', ['-d', '-m', '-', '-e', 'hex', join(root, 'ping')], {
        encoding: 'utf8',
      });
      expect(stdout).toContain(`security.capability=0x${Buffer.from(capability, 'latin1').toString('hex')}`);
      expect(stdout).toContain('user.note=0x74657874');
      expect(stdout).not.toContain('posix_acl');
    });

    it('reads layers of several zstd frames, as zstd:chunked and parallel tools write them', async () => {
      const whole = archive(raw({ name: 'first' }, 'x'.repeat(3000)), raw({ name: 'second' }, 'y'));
      const frames = [whole.subarray(0, 1000), whole.subarray(1000)].map((part) => zstdCompressSync(part));
      const { image } = await roundTrip([{ tar: whole, packed: Buffer.concat(frames) }]);
      expect(text(image, 'second')).toBe('y');
    });

    it('swaps files and folders between layers and follows links inside the root', async () => {
      const { listing } = await roundTrip([
        {
          entries: [
            { name: 'x/', type: 'directory' },
            { name: 'x/old', data: '1' },
            { name: 'y', data: '2' },
            { name: 'usr/lib/', type: 'directory' },
            { name: 'lib', type: 'symlink', linkname: '../../usr/lib' },
          ],
        },
        {
          entries: [
            { name: 'x', data: 'now a file' },
            { name: 'y/', type: 'directory' },
            { name: 'y/new', data: '3' },
            { name: 'lib/libc.so', data: '4' },
          ],
        },
      ]);
      expect(listing).toMatch(/^-.*squashfs-root\/x$/m);
      expect(listing).toMatch(/squashfs-root\/y\/new$/m);
      expect(listing).toMatch(/squashfs-root\/usr\/lib\/libc\.so$/m);
      expect(listing).not.toMatch(/\/x\/old/);
    });

    it('makes the same bytes of the same layers, also later and whatever SOURCE_DATE_EPOCH says', async () => {
      const layer = join(folder, 'same.tar');
      writeFileSync(layer, archive(raw({ name: 'same' }, 'x')));
      const images = ['first', 'second'].map((name) => join(folder, `${name}.squashfs`));
      try {
        for (const [index, image] of images.entries()) {
          process.env['SOURCE_DATE_EPOCH'] = `${index + 1}`;
          await squashLayers({ layers: [layer], diffIds: undefined, image, signal: AbortSignal.timeout(10_000) });
          // Images count time in seconds: the second one is made in another.
          if (index === 0) await sleep(1100);
        }
      } finally {
        delete process.env['SOURCE_DATE_EPOCH'];
      }
      const [first, second] = images.map((image) => readFileSync(image));
      expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
      expect(spawnSync('unsquashfs', ['-lln', images[0] ?? ''], { encoding: 'utf8' }).stdout).toMatch(
        /2023-11-14.*same/,
      );
    });

    it.each([
      ['a name that leads out', { entries: [{ name: 'a/../../b' }] }, 'image_invalid', /layer 1: "a\/\.\.\/\.\.\/b"/],
      [
        'a hard link that leads out',
        { entries: [{ name: 'l', type: 'link' as const, linkname: '../x' }] },
        'image_invalid',
        /layer 1/,
      ],
      [
        'other bytes than its diff_id',
        { entries: [{ name: 'a' }], diffId: `sha256:${'1'.repeat(64)}` },
        'digest_mismatch',
        /layer 1/,
      ],
      [
        'an archive that ends early',
        { tar: archive(raw({ name: 'a' }, 'x'.repeat(2000))).subarray(0, 1500) },
        'image_invalid',
        /layer 1/,
      ],
    ])('refuses a layer with %s', async (_name, layer, code, message) => {
      await expect(roundTrip([layer])).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      expect(readdirSync(join(folder, 'cache/environments')).filter((name) => name.includes('partial'))).toEqual([]);
    });
  },
);
