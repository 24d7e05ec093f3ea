// The cache with something planted in it: nothing outside is read or written, nobody waits, and what stands in the place of a file is made anew or told.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, resolveEnvironment } from '../../src/environment/store.ts';
import { ensureEmptyDisk, ensureProjectPlaceholder, ensureRelativeOverlay } from '../../src/machine/disks.ts';
import { findTemplate, templateFolder } from '../../src/machine/template.ts';
import { findProjectImage, openProjectStore } from '../../src/project/project-store.ts';
import { projectDiskBytes } from '../../src/project/project-types.ts';
import { asPyroError } from '../../src/shared/errors.ts';
import { standingOn } from '../support/disk-header.ts';
import { folderForEach } from '../support/own-folder.ts';

let cache = '';
folderForEach('pyro-planted-cache-', (made) => {
  cache = made;
});
const { signal } = new AbortController();

const kinds: readonly (readonly [string, (path: string) => void])[] = [
  ['a pipe', (path) => void execFileSync('mkfifo', [path])],
  ['a folder', (path) => void mkdirSync(join(path, 'x'), { recursive: true })],
  ['a link that leads nowhere', (path) => symlinkSync('/nowhere/at/all', path)],
  ['a device without end', (path) => symlinkSync('/dev/zero', path)],
  ['a link to a file of the host', (path) => symlinkSync(secret(), path)],
];

/** As large as what is expected in its place. */
function secret(): string {
  const path = join(cache, 'secret');
  writeFileSync(path, 'of the host');
  truncateSync(path, projectDiskBytes);
  return path;
}

const disks = {
  'empty-8192-2.qcow2': () => ensureEmptyDisk(cache, signal),
  'overlay-8192.qcow2': () => ensureRelativeOverlay(cache, signal),
  'project-empty.img': () => ensureProjectPlaceholder(cache),
};

describe.each(kinds)('%s', (kind, plant) => {
  it.each(Object.entries(disks))('in the place of disks/%s is made anew, or told', async (name, ensure) => {
    const path = join(cache, 'disks', name);
    mkdirSync(dirname(path), { recursive: true });
    plant(path);
    if (kind === 'a folder') {
      const error = asPyroError(await ensure().catch((each: unknown) => each));
      expect(error).toMatchObject({ code: 'path_unusable', message: expect.stringContaining(path) });
      expect(error.hint).toBeTruthy();
      return;
    }
    expect(await ensure()).toBe(path);
    expect(lstatSync(path).isFile()).toBe(true);
    if (kind.endsWith('of the host'))
      expect(execFileSync('head', ['-c', '11', join(cache, 'secret')]).toString()).toBe('of the host');
  });

  it('in the place of an image is none, which says how to get it', async () => {
    const digest = 'a'.repeat(64);
    const folder = join(cache, 'environments', digest);
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(cache, 'refs'));
    const config = { env: [], working_dir: '', user: '', entrypoint: [], cmd: [] };
    const record = { version: 1, name: 'debian:12', reference: '', source: 'packages', digest: `sha256:${digest}` };
    writeFileSync(
      join(folder, 'environment.json'),
      JSON.stringify({ ...record, image_bytes: projectDiskBytes, created_at: '', config, layers: 1, packages: [] }),
    );
    const name = createHash('sha256').update('debian:12').digest('hex');
    writeFileSync(
      join(cache, 'refs', `${name}.json`),
      JSON.stringify({ name: 'debian:12', digest: `sha256:${digest}` }),
    );
    plant(join(folder, 'root.squashfs'));
    await expect(resolveEnvironment(openStore(cache), 'debian:12')).rejects.toMatchObject({
      code: 'environment_damaged',
      hint: expect.stringContaining('env.pull'),
    });
  });

  it('in the place of an image of a project is none', async () => {
    const store = openProjectStore(cache);
    const key = 'b'.repeat(64);
    mkdirSync(store.root);
    plant(join(store.root, `${key}.img`));
    expect(await findProjectImage(store, key)).toBeUndefined();
    plant(join(store.root, `${key}.json`));
    expect(await findProjectImage(store, key).catch((error: unknown) => asPyroError(error).code)).toSatisfy(
      (found) => found === undefined || found === 'path_unusable',
    );
  });

  it.each(['ram', 'state', 'disk.qcow2', 'overlay.qcow2'])('in the place of %s is no template', async (name) => {
    const folder = templateFolder(cache, 'abc');
    mkdirSync(folder, { recursive: true });
    const record = {
      version: 1,
      key: 'abc',
      magic: '0'.repeat(32),
      environment_digest: 'd',
      created_at: '',
      build_ms: 1,
    };
    writeFileSync(join(folder, 'template.json'), JSON.stringify(record));
    for (const each of ['ram', 'state', 'disk.qcow2'].filter((other) => other !== name))
      writeFileSync(join(folder, each), '');
    if (name !== 'overlay.qcow2') writeFileSync(join(folder, 'overlay.qcow2'), standingOn(join(folder, 'disk.qcow2')));
    plant(join(folder, name));
    expect(await findTemplate(cache, 'abc')).toBeUndefined();
  });
});

it.each(Object.entries(disks))(
  'a bit of disks/%s that has changed at equal size has it made anew',
  async (name, ensure) => {
    const path = join(cache, 'disks', name);
    await ensure();
    const whole = await ensure();
    const made = lstatSync(whole).ino;
    expect(lstatSync(path).ino).toBe(made);
    const at = Math.min(lstatSync(path).size - 1, 150_000);
    const file = openSync(path, 'r+');
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    writeSync(file, Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, at);
    closeSync(file);
    expect(await ensure()).toBe(path);
    expect(lstatSync(path).ino).not.toBe(made);
  },
);
