// What a copy does with files and folders that stand in its place.
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportTree } from '../../../src/changes/export.ts';
import { FakeGuestFiles, file, treeOf } from '../../support/fake-guest-files.ts';
import { folderForEach } from '../../support/own-folder.ts';

let work: string;
let output: string;

folderForEach('merge-', (folder) => {
  work = folder;
  output = join(work, 'out');
});

async function copy(guest: FakeGuestFiles, signal = new AbortController().signal): Promise<void> {
  const request = {
    guestPath: '/workspace',
    outputPath: output,
    isOverwrite: false,
    isMerge: true,
    hasGit: false,
    hasIgnored: true,
    format: 'files' as const,
    workFolder: work,
  };
  await exportTree(guest, request, { signal });
}

describe('a copy', () => {
  it('goes into folders that stand there, replaces files and links, and leaves the others', async () => {
    const elsewhere = join(work, 'elsewhere');
    writeFileSync(elsewhere, 'safe');
    mkdirSync(join(output, 'd'), { recursive: true });
    writeFileSync(join(output, 'd/mine'), 'mine');
    writeFileSync(join(output, 'd/a'), 'old');
    symlinkSync(elsewhere, join(output, 'l'));
    await copy(new FakeGuestFiles(treeOf({ 'd/a': file('new'), 'd/e/f': file('f'), l: file('was a link') })));
    expect(readFileSync(join(output, 'd/a'), 'utf8')).toBe('new');
    expect(readFileSync(join(output, 'd/mine'), 'utf8')).toBe('mine');
    expect(readFileSync(join(output, 'd/e/f'), 'utf8')).toBe('f');
    expect(lstatSync(join(output, 'l')).isFile()).toBe(true);
    expect(readFileSync(elsewhere, 'utf8')).toBe('safe');
    expect(readdirSync(output).sort()).toEqual(['d', 'l']);
  });

  it('never goes into what a link in its way leads to', async () => {
    const elsewhere = join(work, 'elsewhere');
    mkdirSync(elsewhere);
    mkdirSync(output);
    symlinkSync(elsewhere, join(output, 'd'));
    const refused = copy(new FakeGuestFiles(treeOf({ a: file('a'), 'd/x': file('x') })));
    await expect(refused).rejects.toMatchObject({ code: 'output_exists' });
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(readdirSync(output)).toEqual(['d']);
  });

  it('changes nothing where a folder and a file stand against each other, or at an end half-way', async () => {
    mkdirSync(join(output, 'z'), { recursive: true });
    writeFileSync(join(output, 'a'), 'old');
    const against = copy(new FakeGuestFiles(treeOf({ a: file('new'), z: file('no folder') })));
    await expect(against).rejects.toMatchObject({ code: 'output_exists' });
    execFileSync('mkfifo', [join(output, 'p')]);
    const overPipe = copy(new FakeGuestFiles(treeOf({ a: file('new'), p: file('a file') })));
    await expect(overPipe).rejects.toMatchObject({ code: 'output_exists', message: expect.stringContaining('a pipe') });
    await expect(copy(new FakeGuestFiles(treeOf({ a: file('new') })), AbortSignal.abort())).rejects.toThrow();
    expect(readFileSync(join(output, 'a'), 'utf8')).toBe('old');
    expect(readdirSync(output).sort()).toEqual(['a', 'p', 'z']);
  });

  it('never takes the place of a device or a pipe', async () => {
    execFileSync('mkfifo', [output]);
    const refused = copy(new FakeGuestFiles(treeOf({ a: file('a') })));
    await expect(refused).rejects.toMatchObject({ code: 'export_refused' });
    expect(lstatSync(output).isFIFO()).toBe(true);
  });

  it('keeps the holes of a file', async () => {
    const content = `${'\0'.repeat(300_000)}middle${'\0'.repeat(300_000)}`;
    await copy(new FakeGuestFiles(treeOf({ a: file(content) })));
    expect(readFileSync(join(output, 'a'), 'utf8')).toBe(content);
    expect(lstatSync(join(output, 'a')).blocks * 512).toBeLessThan(200_000);
  });
});
