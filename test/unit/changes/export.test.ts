// Exports to a real disk, of honest and of hostile guests.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type ExportRequest, exportTree } from '../../../src/changes/export.ts';
import { type NewEntry, padding, tarEnd, writeHeader } from '../../../src/system/tar-write.ts';
import { FakeGuestFiles, file, folder, link, pipe, put, treeOf } from '../../support/fake-guest-files.ts';
import { describeFolder, describeTree, git, writeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
let work: string;
let output: string;

folderForEach('export-', (folder) => {
  work = folder;
  output = join(work, 'out');
});

async function run(guest: FakeGuestFiles, request: Partial<ExportRequest> = {}) {
  const usual = {
    guestPath: '/workspace',
    outputPath: output,
    isOverwrite: false,
    hasGit: false,
    hasIgnored: false,
    workFolder: work,
  };
  return await exportTree(guest, { ...usual, format: 'files', ...request }, context);
}

type Entry = Partial<Omit<NewEntry, 'name'>> & {
  readonly path: string;
  readonly data?: string;
  readonly flag?: string;
};

/** A guest that answers `pack` with an archive of its own making. */
function hostile(entries: readonly Entry[]): FakeGuestFiles {
  const guest = new FakeGuestFiles(treeOf({}));
  guest.pack = async () => Readable.from(archive(entries));
  return guest;
}

function* archive(entries: readonly Entry[]): Generator<Buffer> {
  for (const { path, data = '', flag, ...rest } of entries) {
    const size = rest.size ?? Buffer.byteLength(data);
    const name = Buffer.from(path).toString('latin1');
    const header = writeHeader({ type: 'file', mode: 0o644, mtime: 1, ...rest, name, size });
    if (flag !== undefined) setFlag(header, flag);
    yield header;
    if (data !== '') yield Buffer.concat([Buffer.from(data), padding(size)]);
  }
  yield tarEnd;
}

function setFlag(header: Buffer, flag: string): void {
  header.write(flag, 156);
  header.write('        ', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

describe('exportTree writes', () => {
  it('a folder with modes and links, and without .git and special files', async () => {
    const tree = treeOf({
      'a.txt': file('a\n', 0o640),
      'bin/tool': file('#!\n', 0o4755),
      'deep/er/x': file('x'),
      dangling: link('/nowhere/../x'),
      empty: folder,
      '.git/config': file('[core]\n'),
      'sub/.GIT/config': file('[core]\n'),
    });
    put(tree, 'raw\xff', file('raw'));
    put(tree, 'closed', { ...folder, mode: 0o500 });
    put(tree, 'closed/x', file('x', 0o400));
    const guest = new FakeGuestFiles(treeOf({}), tree);
    const result = await run(guest);
    for (const key of ['.git/config', 'sub/.GIT/config']) tree.delete(key);
    expect(describeFolder(output)).toEqual(describeTree(tree));
    expect(lstatSync(join(output, 'a.txt')).mode & 0o7777).toBe(0o640);
    expect(lstatSync(join(output, 'bin/tool')).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(output, 'closed')).mode & 0o7777).toBe(0o700);
    expect(readlinkSync(join(output, 'dangling'))).toBe('/nowhere/../x');
    expect(readdirSync(join(output, 'empty'))).toEqual([]);
    expect(result).toMatchObject({ artifact_type: 'directory', output_path: output, bytes_written: 10 });
    expect(result.skipped_count).toBe(2);
    expect(readdirSync(work)).toEqual(['out']);
  });

  it('.git too when asked', async () => {
    const tree = treeOf({ '.git/config': file('[core]\n') });
    await run(new FakeGuestFiles(tree), { hasGit: true, hasIgnored: false });
    expect(describeFolder(output)).toEqual(describeTree(tree));
  });

  it.each([
    ['file', 'f', 'content'],
    ['symlink', 'l', undefined],
  ])('a single %s, and folders above the place', async (type, name, content) => {
    const guest = new FakeGuestFiles(treeOf({ f: file('content', 0o755), l: link('f') }));
    output = join(work, 'made/for/it');
    const result = await run(guest, { guestPath: `/workspace/${name}` });
    expect(result).toMatchObject({ artifact_type: type, entry_count: 1 });
    if (content === undefined) expect(readlinkSync(output)).toBe('f');
    else expect(readFileSync(output, 'utf8')).toBe(content);
  });

  it('hard links as links', async () => {
    const entries: Entry[] = [
      { path: 'a', data: 'same' },
      { path: 'b', type: 'link', linkname: 'a' },
    ];
    await run(hostile(entries));
    expect(lstatSync(join(output, 'a')).ino).toBe(lstatSync(join(output, 'b')).ino);
  });

  it('an archive that tar unpacks to the same tree', async () => {
    const tree = treeOf({ 'a/b c': file('x', 0o755), l: link('a'), [`${'long/'.repeat(40)}x`]: file('y') });
    put(tree, 'raw\xff', file('raw'));
    const result = await run(new FakeGuestFiles(tree), { format: 'tar' });
    expect(result).toMatchObject({ artifact_type: 'file', bytes_written: lstatSync(output).size });
    const place = join(work, 'place');
    mkdirSync(place);
    const { execFileSync } = await import('node:child_process');
    execFileSync('tar', ['-xf', output, '-C', place]);
    expect(describeFolder(place)).toEqual(describeTree(tree));
  });

  it('a patch that Git applies', async () => {
    const [before, after] = [treeOf({ a: file('1\n') }), treeOf({ a: file('2\n'), b: file('b\n') })];
    const result = await run(new FakeGuestFiles(before, after), { format: 'patch' });
    expect(result).toMatchObject({ artifact_type: 'file', entry_count: 2 });
    const seed = join(work, 'seed');
    writeTree(seed, before);
    expect(git(seed, 'apply', output).status).toBe(0);
    expect(describeFolder(seed)).toEqual(describeTree(after));
  });
});

describe('an existing output', () => {
  it('is refused, also a broken link', async () => {
    symlinkSync('/nowhere', output);
    await expect(run(new FakeGuestFiles(treeOf({ a: file('a') })))).rejects.toMatchObject({ code: 'output_exists' });
    expect(readlinkSync(output)).toBe('/nowhere');
  });

  it('is replaced as a whole when asked', async () => {
    mkdirSync(output);
    writeFileSync(join(output, 'stale'), 'old');
    await run(new FakeGuestFiles(treeOf({ a: file('a') })), { isOverwrite: true });
    expect(readdirSync(output)).toEqual(['a']);
    await run(new FakeGuestFiles(treeOf({ a: file('now a file') })), { isOverwrite: true, guestPath: '/workspace/a' });
    expect(readFileSync(output, 'utf8')).toBe('now a file');
    expect(readdirSync(work)).toEqual(['out']);
  });

  it('is replaced itself when it is a link, not what it leads to', async () => {
    const elsewhere = join(work, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, output);
    await run(new FakeGuestFiles(treeOf({ a: file('a') })), { isOverwrite: true });
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(lstatSync(output).isDirectory()).toBe(true);
  });

  it('stays when the export fails', async () => {
    mkdirSync(output);
    writeFileSync(join(output, 'mine'), 'old');
    await expect(run(hostile([{ path: 'a' }, { path: '../b' }]), { isOverwrite: true })).rejects.toThrow();
    expect(readFileSync(join(output, 'mine'), 'utf8')).toBe('old');
    expect(readdirSync(work)).toEqual(['out']);
  });

  it('is not replaced when it is a pipe, as a device would not be', async () => {
    execFileSync('mkfifo', [output]);
    const refused = run(new FakeGuestFiles(treeOf({ a: file('a') })), { isOverwrite: true });
    await expect(refused).rejects.toMatchObject({ code: 'export_refused' });
    expect(lstatSync(output).isFIFO()).toBe(true);
  });

  it('is not replaced when it is a Git checkout', async () => {
    mkdirSync(join(output, '.git'), { recursive: true });
    const refused = run(new FakeGuestFiles(treeOf({ a: file('a') })), { isOverwrite: true });
    await expect(refused).rejects.toMatchObject({ code: 'export_refused' });
  });
});

describe('exportTree refuses', () => {
  it.each(['.git/x', 'repo/.git/hooks/post-commit', 'repo/.GIT', 'a/../b'])('to write to %s', async (path) => {
    mkdirSync(join(work, '.git'));
    const refused = run(new FakeGuestFiles(treeOf({ a: file('a') })), { outputPath: `${work}/${path}` });
    await expect(refused).rejects.toMatchObject({ code: 'export_refused' });
    expect(readdirSync(work)).toEqual(['.git']);
  });

  it('to write to .git through a link above the place', async () => {
    mkdirSync(join(work, 'repo/.git/hooks'), { recursive: true });
    symlinkSync(join(work, 'repo/.git/hooks'), join(work, 'innocent'));
    const refused = run(new FakeGuestFiles(treeOf({ a: file('a') })), {
      outputPath: join(work, 'innocent/pre-commit'),
    });
    await expect(refused).rejects.toMatchObject({ code: 'export_refused' });
    expect(readdirSync(join(work, 'repo/.git/hooks'))).toEqual([]);
  });

  const evil: Entry[] = [{ path: 'l', type: 'symlink', linkname: '/tmp' }];
  it.each<[string, Entry[]]>([
    ['..', [{ path: '../evil', data: 'x' }]],
    ['.. in the middle', [{ path: 'a/../../evil', data: 'x' }]],
    ['an absolute name', [{ path: '/tmp/evil', data: 'x' }]],
    ['a name of 300 bytes', [{ path: 'n'.repeat(300), data: 'x' }]],
    ['a path of 5000 bytes', [{ path: 'n/'.repeat(2500), data: 'x' }]],
    ['a path of 2,001 folders', [{ path: 'n/'.repeat(2001), data: 'x' }]],
    ['a zero byte', [{ path: `a\0${'b'.repeat(120)}`, data: 'x' }]],
    ['a file through a link', [...evil, { path: 'l/evil', data: 'x' }]],
    ['a folder through a link', [...evil, { path: 'l/evil/', type: 'directory' }]],
    ['a file in place of a link', [...evil, { path: 'l', data: 'x' }]],
    ['a link in place of a folder', [{ path: 'l/', type: 'directory' }, ...evil]],
    ['a hard link to a link', [...evil, { path: 'h', type: 'link', linkname: 'l' }]],
    ['a hard link out', [{ path: 'h', type: 'link', linkname: '../../etc/passwd' }]],
    ['a hard link to an absolute path', [{ path: 'h', type: 'link', linkname: '/etc/passwd' }]],
    [
      'something below a file',
      [
        { path: '.', data: 'x' },
        { path: 'below', data: 'x' },
      ],
    ],
    ['a link without a target', [{ path: 'l', type: 'symlink', flag: '2' }]],
  ])('an archive with %s', async (_, entries) => {
    const good: Entry = { path: 'good', data: 'good' };
    const first = entries[0]?.path === '.' ? [] : [good];
    await expect(run(hostile([...first, ...entries]))).rejects.toMatchObject({ code: 'export_refused' });
    expect(readdirSync(work)).toEqual([]);
    await expect(run(hostile([...first, ...entries]), { format: 'tar' })).rejects.toMatchObject({
      code: 'export_refused',
    });
    expect(readdirSync(work)).toEqual([]);
  });

  it.each(['3', '4', '6'])('to make a device or a pipe of flag %s, and goes on', async (flag) => {
    const result = await run(
      hostile([
        { path: 'dev', flag },
        { path: 'good', data: 'x' },
      ]),
    );
    expect(readdirSync(output)).toEqual(['good']);
    expect(result.skipped).toEqual([{ path: 'dev', reason: 'is a device, a socket or a pipe' }]);
  });

  it('more than the disk can hold, before it is written', async () => {
    const refused = run(hostile([{ path: 'sparse', size: 2 ** 50 }]));
    await expect(refused).rejects.toMatchObject({ code: 'disk_full' });
    expect(readdirSync(work)).toEqual([]);
  });

  it.each<[string, Buffer]>([
    ['is cut short', Buffer.concat([...archive([{ path: 'a', data: 'x'.repeat(2000) }])]).subarray(0, 1500)],
    ['ends without its end', Buffer.concat([...archive([{ path: 'a', data: 'x' }])]).subarray(0, 1024)],
    ['has a wrong checksum', Buffer.alloc(1024, 'x')],
    ['is empty', Buffer.alloc(0)],
  ])('an archive that %s, and leaves nothing', async (_, bytes) => {
    const guest = hostile([]);
    guest.pack = async () => Readable.from(bytes.length === 0 ? [] : [bytes]);
    const deep = join(work, 'made/for/it');
    await expect(run(guest, { outputPath: deep })).rejects.toMatchObject({ code: 'guest_protocol' });
    expect(readdirSync(work)).toEqual([]);
  });

  it('no tree of very many folders for the time that it takes: each is looked up once', async () => {
    const deep = 'n/'.repeat(900);
    const entries = Array.from({ length: 3000 }, (_, index) => ({ path: `${deep}${index}`, data: '' }));
    const before = process.cpuUsage();
    await run(hostile(entries), { format: 'tar' });
    // Building and looking up each of 900 paths for each of 3,000 files is work of another order.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(10);
  });

  it('a place below a file', async () => {
    writeFileSync(output, 'x');
    chmodSync(output, 0o600);
    const refused = run(new FakeGuestFiles(treeOf({ p: pipe })), { outputPath: join(output, 'x') });
    await expect(refused).rejects.toMatchObject({ code: 'export_refused' });
  });
});
