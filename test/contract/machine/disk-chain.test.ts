// Disks whose headers were changed by who broke out of a guest: they open, merge and carry out no file of the host.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noConfinement } from '../../../src/machine/confinement.ts';
import { checkChain } from '../../../src/machine/disk-chain.ts';
import { qemuLayers } from '../../../src/machine/layers.ts';
import { belowFormat, dataFile, diskHeader, encryption, standingOn } from '../../support/disk-header.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-chain-'));
const cache = join(folder, 'cache');
const template = join(cache, 'templates', 'abc');
const [disk, between, base] = ['disk.qcow2', 'between.qcow2', 'base.qcow2'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const sizeMib = 1;
const refused = { code: 'state_damaged', hint: expect.stringContaining('workspace.reset') };
const { signal } = new AbortController();
/** What is tried here has nothing but the check between it and the host. */
const layers = qemuLayers(noConfinement('a test'));

beforeAll(() => {
  mkdirSync(template, { recursive: true });
  for (const path of [base, join(template, 'disk.qcow2')]) writeFileSync(path, diskHeader({}));
  writeFileSync(join(folder, 'secret'), 'of the host');
  writeFileSync(join(folder, 'workspace.json'), '{}');
  symlinkSync(join(folder, 'secret'), join(template, 'link'));
  symlinkSync(base, join(folder, 'link.qcow2'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(...below: string[]): Promise<string[]> {
  return await checkChain({ disk, below, sizeMib });
}

it('a disk stands on the files of its chain, and may pass over one that was being merged', async () => {
  const templateDisk = join(template, 'disk.qcow2');
  writeFileSync(between, standingOn(templateDisk));
  writeFileSync(disk, standingOn('between.qcow2'));
  expect(await check(between, templateDisk)).toEqual([between, templateDisk]);
  writeFileSync(disk, standingOn('base.qcow2'));
  expect(await check(between, base)).toEqual([base]);
  symlinkSync(cache, join(folder, 'other-name'));
  writeFileSync(disk, standingOn(join(folder, 'other-name', 'templates', 'abc', 'disk.qcow2')));
  expect(await check(templateDisk)).toHaveLength(1);
});

describe.each([
  '/etc/passwd',
  '../secret',
  join(folder, 'secret'),
  'secret',
  'workspace.json',
  'disk.qcow2',
  '.',
  '..',
  'json:{"driver":"file","filename":"/etc/passwd"}',
  'nbd://127.0.0.1/x',
  'ssh://127.0.0.1/x',
  'base.qcow2\0',
  'base.qcow2\0/../../secret',
  join(template, 'link'),
  'link.qcow2',
])('one that says it stands on %j', (name) => {
  it('is neither started, merged nor exported', async () => {
    writeFileSync(disk, standingOn(name));
    await expect(check(base)).rejects.toMatchObject(refused);
    const merge = { from: 'disk.qcow2', into: 'base.qcow2', children: [], below: [], sizeMib };
    await expect(layers.merge(folder, merge, signal)).rejects.toMatchObject(refused);
    const output = join(folder, 'flat');
    await expect(layers.flatten({ disk, below: [base], sizeMib }, output, 'raw', signal)).rejects.toMatchObject(
      refused,
    );
    expect(existsSync(output)).toBe(false);
  });
});

const changes: readonly (readonly [string, () => Buffer])[] = [
  ['whose content lies in another file', () => changed((header) => header.writeBigUInt64BE(4n, 72))],
  ['that names a file with its content', () => with_([belowFormat, 'qcow2'], [dataFile, '/etc/passwd'])],
  ['that is encrypted', () => changed((header) => header.writeUInt32BE(2, 32))],
  ['that says how it is encrypted', () => with_([belowFormat, 'qcow2'], [encryption, 'x'.repeat(16)])],
  ['whose file below is a vmdk', () => with_([belowFormat, 'vmdk'])],
  ['whose file below is of any kind', () => with_()],
  ['whose file below is raw', () => with_([belowFormat, 'raw'])],
  ['that names the kind below twice', () => with_([belowFormat, 'qcow2'], [belowFormat, 'vmdk'])],
  ['that hides what it says behind its first bytes', () => changed((header) => header.writeBigUInt64BE(1n << 20n, 8))],
  ['with an extension without end', () => changed((header) => header.writeUInt32BE(0xffffffff, 108))],
  ['with a header without end', () => changed((header) => header.writeUInt32BE(0xffffffff, 100))],
  ['of an old version', () => changed((header) => header.writeUInt32BE(2, 4))],
  ['of other clusters', () => changed((header) => header.writeUInt32BE(21, 20))],
  ['with compressed clusters of another kind', () => changed((header) => header.writeBigUInt64BE(8n, 72))],
  ['with states of its own', () => changed((header) => header.writeUInt32BE(1, 60))],
  ['that is larger than it was made', () => changed((header) => header.writeBigUInt64BE(1n << 60n, 24))],
  ['with a name that is not there', () => changed((header) => header.writeUInt32BE(0, 16))],
  ['with a name without end', () => changed((header) => header.writeUInt32BE(0xffffffff, 16))],
  ['that stands alone', () => diskHeader({})],
  ['that is none', () => Buffer.from('# Disk DescriptorFile\n')],
  ['that is empty', () => Buffer.alloc(0)],
];

function changed(change: (header: Buffer) => void): Buffer {
  const header = standingOn('base.qcow2');
  change(header);
  return header;
}

function with_(...extensions: (readonly [number, string])[]): Buffer {
  return diskHeader({ below: 'base.qcow2', extensions });
}

it.each(changes)('one %s is refused', async (_what, make) => {
  writeFileSync(disk, make());
  await expect(check(base)).rejects.toMatchObject(refused);
});

it.each([
  ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
  ['a folder', (path: string) => mkdirSync(path)],
  ['a link', (path: string) => symlinkSync(base, path)],
  ['a device', (path: string) => symlinkSync('/dev/zero', path)],
  ['nothing', () => undefined],
])('%s in the place of a disk is refused at once', async (_kind, plant) => {
  rmSync(disk, { recursive: true, force: true });
  plant(disk);
  await expect(check(base)).rejects.toMatchObject(refused);
  rmSync(disk, { recursive: true, force: true });
});

/** A file below that names a file of the host as its content: any program of QEMU would read it there, and write it. */
function leadingTo(path: string): string {
  const lines = [
    '# Disk DescriptorFile',
    'version=1',
    'CID=12345678',
    'parentCID=ffffffff',
    'createType="monolithicFlat"',
  ];
  return [...lines, `RW 2048 FLAT "${path}" 0`, ''].join('\n');
}

it('a layer that leads to a file of the host by way of another kind of disk neither reads nor writes it', async () => {
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'of the host');
  truncateSync(victim, 1 << 20);
  const before = readFileSync(victim);
  writeFileSync(between, leadingTo(victim));
  rmSync(disk, { force: true });
  execFileSync('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'vmdk', '-b', 'between.qcow2', disk, '1M']);
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 65 0 512', disk], { stdio: 'ignore' });
  const output = join(folder, 'flat');
  await expect(layers.flatten({ disk, below: [between, base], sizeMib }, output, 'raw', signal)).rejects.toMatchObject(
    refused,
  );
  expect(existsSync(output)).toBe(false);
  const merge = { from: 'disk.qcow2', into: 'between.qcow2', children: [], below: ['base.qcow2'], sizeMib };
  await expect(layers.merge(folder, merge, signal)).rejects.toMatchObject(refused);
  expect(readFileSync(victim).equals(before)).toBe(true);
});
