// Exports to the host: whole, with modes and links, and safe against archives that lie.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportFiles, exportTar } from '../../src/changes/export.ts';
import { encodeTarHeader, tarEnd, tarPadding } from '../../src/changes/tar-write.ts';

const context = { signal: new AbortController().signal };
let folder = '';
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-export-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('an export', () => {
  interface Entry {
    readonly path: string;
    readonly type?: 'file' | 'directory' | 'symlink' | 'link';
    readonly data?: string;
    readonly target?: string;
    readonly mode?: number;
  }

  function archive(...entries: Entry[]): Readable {
    const parts = entries.flatMap(({ path, type = 'file', data = '', target = '', mode = 0o644 }) => {
      const header = {
        path: Buffer.from(path),
        type,
        mode,
        size: data.length,
        mtimeSeconds: 1,
        linkTarget: Buffer.from(target),
      };
      return [encodeTarHeader(header), Buffer.from(data), tarPadding(data.length)];
    });
    return Readable.from([...parts, tarEnd]);
  }

  const plan = (isOverwrite = false) => ({ outputPath: at('out'), isOverwrite });

  it('keeps modes and links, and appears whole', async () => {
    const entries: Entry[] = [
      { path: '.', type: 'directory', mode: 0o755 },
      { path: 'locked', type: 'directory', mode: 0o555 },
      { path: 'locked/tool', data: 'run', mode: 0o4755 },
      { path: 'link', type: 'symlink', target: '/etc/passwd' },
      { path: 'twin', type: 'link', target: 'locked/tool' },
    ];
    const result = await exportFiles(archive(...entries), plan(), context.signal);
    expect(result).toEqual({ artifact_type: 'directory', entry_count: 5, bytes_written: 3 });
    expect(lstatSync(at('out/locked/tool')).mode & 0o7777).toBe(0o755);
    expect(lstatSync(at('out/locked')).mode & 0o777).toBe(0o555);
    expect(lstatSync(at('out/link')).isSymbolicLink()).toBe(true);
    expect(lstatSync(at('out/twin')).ino).toBe(lstatSync(at('out/locked/tool')).ino);
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('of one file is that file', async () => {
    await exportFiles(archive({ path: '.', data: 'alone' }), plan(), context.signal);
    expect(readFileSync(at('out'), 'utf8')).toBe('alone');
  });

  it.each<[string, Entry[]]>([
    ['leads out', [{ path: '../evil', data: 'x' }]],
    ['is absolute', [{ path: '/tmp/evil', data: 'x' }]],
    [
      'goes through a link of its own',
      [
        { path: 'l', type: 'symlink', target: '..' },
        { path: 'l/evil', data: 'x' },
      ],
    ],
    [
      'writes over a link of its own',
      [
        { path: 'l', type: 'symlink', target: '../evil' },
        { path: 'l', data: 'x' },
      ],
    ],
    ['links to a file outside', [{ path: 'l', type: 'link', target: '../victim' }]],
    [
      'comes twice',
      [
        { path: 'a', data: '1' },
        { path: 'a', data: '2' },
      ],
    ],
    ['has too long a name', [{ path: 'n'.repeat(300), data: 'x' }]],
  ])('of an archive that %s writes nothing', async (_name, entries) => {
    writeFileSync(at('victim'), 'safe');
    await expect(exportFiles(archive(...entries), plan(), context.signal)).rejects.toMatchObject({
      code: 'export_refused',
    });
    expect(readdirSync(folder)).toEqual(['victim']);
    expect(readFileSync(at('victim'), 'utf8')).toBe('safe');
  });

  it('refuses what stands there unless told to overwrite, and keeps it when it fails', async () => {
    mkdirSync(at('out'));
    writeFileSync(at('out/old'), 'old');
    await expect(exportFiles(archive({ path: 'a' }), plan(), context.signal)).rejects.toMatchObject({
      code: 'output_exists',
    });
    await expect(exportFiles(archive({ path: '../a' }), plan(true), context.signal)).rejects.toThrow();
    expect(readFileSync(at('out/old'), 'utf8')).toBe('old');
    await exportFiles(archive({ path: 'new', data: 'n' }), plan(true), context.signal);
    expect(readdirSync(at('out'))).toEqual(['new']);
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it("never writes in Git's own folder", async () => {
    const inGit = { outputPath: at('.git/hooks'), isOverwrite: true };
    await expect(exportFiles(archive({ path: 'x' }), inGit, context.signal)).rejects.toMatchObject({
      code: 'export_refused',
    });
    expect(existsSync(at('.git'))).toBe(false);
  });

  it('as an archive is made anew from checked entries', async () => {
    await exportTar(archive({ path: 'd', type: 'directory' }, { path: 'd/f', data: 'text' }), plan(), context.signal);
    const listed = spawnSync('tar', ['-xOf', at('out'), 'd/f'], { encoding: 'utf8' });
    expect(listed.stdout).toBe('text');
  });

  it('that breaks off leaves nothing', async () => {
    const broken = Readable.from([
      encodeTarHeader({ path: Buffer.from('a'), type: 'file', mode: 0o644, size: 1e12, mtimeSeconds: 0 }),
      Buffer.from('x'),
    ]);
    await expect(exportFiles(broken, plan(), context.signal)).rejects.toMatchObject({ code: 'guest_protocol' });
    expect(readdirSync(folder)).toEqual([]);
  });
});
