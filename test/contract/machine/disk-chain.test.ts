// Disks whose headers were changed by who broke out of a guest: they open, merge and carry out no file of the host.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { filesBelow } from '../../../src/machine/disk-chain.ts';
import { qemuLayers } from '../../../src/machine/layers.ts';
import { standingOn } from '../../support/disk-header.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-chain-'));
const cache = join(folder, 'cache');
const template = join(cache, 'templates', 'abc');
const disk = join(folder, 'disk.qcow2');
const refused = { code: 'state_damaged' };
const { signal } = new AbortController();

beforeAll(() => {
  mkdirSync(template, { recursive: true });
  for (const path of [join(folder, 'secret'), join(folder, 'base.qcow2'), join(template, 'disk.qcow2')])
    writeFileSync(path, '');
  symlinkSync(join(folder, 'secret'), join(template, 'link'));
  mkdirSync(join(cache, 'templates', 'linked'));
  symlinkSync(join(folder, 'secret'), join(cache, 'templates', 'linked', 'disk.qcow2'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a disk stands on files beside it, and on disks of templates', async () => {
  writeFileSync(join(folder, 'between.qcow2'), standingOn(join(template, 'disk.qcow2')));
  writeFileSync(disk, standingOn('between.qcow2'));
  expect(await filesBelow(disk, cache)).toEqual([join(folder, 'between.qcow2'), join(template, 'disk.qcow2')]);
  await expect(filesBelow(disk)).rejects.toMatchObject(refused);
});

it.each([
  '/etc/passwd',
  '../secret',
  join(folder, 'secret'),
  'json:{"driver":"file","filename":"/etc/passwd"}',
  'nbd://127.0.0.1/x',
  'base.qcow2\0',
  join(template, 'link'),
  join(cache, 'templates', 'linked', 'disk.qcow2'),
  join(cache, 'templates', 'abc', '..', '..', 'disk.qcow2'),
])('one that says it stands on %s is neither started, merged nor exported', async (name) => {
  writeFileSync(disk, standingOn(name));
  await expect(filesBelow(disk, cache)).rejects.toMatchObject(refused);
  const layers = { from: 'disk.qcow2', into: 'base.qcow2', children: [] };
  await expect(qemuLayers.merge(folder, layers, signal)).rejects.toMatchObject(refused);
  await expect(qemuLayers.flatten(disk, join(folder, 'flat'), 'raw', signal)).rejects.toMatchObject(refused);
  expect(await qemuLayers.below(disk, signal)).toBeUndefined();
});

it('one whose content lies in another file is refused', async () => {
  const header = standingOn('base.qcow2');
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(4n, 72);
  writeFileSync(disk, header);
  await expect(filesBelow(disk)).rejects.toMatchObject(refused);
});

it('one that stands on itself is refused', async () => {
  writeFileSync(disk, standingOn('disk.qcow2'));
  await expect(filesBelow(disk)).rejects.toMatchObject(refused);
});
