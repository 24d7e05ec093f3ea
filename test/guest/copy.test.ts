// Copies between this machine and a workspace, both ways, whole or not at all.
import { randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pyro } from '../support/pyro.ts';
import { describeTree } from '../support/random-tree.ts';

let id = '';

beforeAll(async () => {
  id = (await pyro(['workspace', 'create', '--empty', '--quiet'])).stdout.toString('utf8').trim();
});
afterAll(async () => {
  await pyro(['workspace', 'delete', id]);
});

describe('cp', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-copy-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const cp = async (source: string, target: string, input?: Buffer) =>
    await pyro(['cp', source, target], input === undefined ? {} : { input });

  it('takes a folder there and back, whole, with modes, links and holes', async () => {
    const from = join(folder, 'from');
    mkdirSync(join(from, 'empty'), { recursive: true });
    writeFileSync(join(from, 'run'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(from, 'a,b&c\\d'), 'odd');
    symlinkSync('../nowhere', join(from, 'link'));
    writeFileSync(join(from, 'holes'), '');
    truncateSync(join(from, 'holes'), 50_000_000);
    expect(await cp(from, `${id}:/srv/tree`)).toMatchObject({ exitCode: 0 });
    // A folder that stands there takes it below.
    expect((await cp(from, `${id}:/srv/tree`)).stderr).toContain('/srv/tree/from: 5 entries');
    const blocks = await pyro(['exec', id, '--', 'stat -c %b /srv/tree/holes']);
    expect(Number(blocks.stdout.toString('utf8'))).toBeLessThan(200);
    const back = join(folder, 'back');
    expect(await cp(`${id}:/srv/tree/from`, back)).toMatchObject({ exitCode: 0 });
    expect(describeTree(back)).toEqual(describeTree(from));
    expect(statSync(join(back, 'holes')).blocks).toBeLessThan(200);
    writeFileSync(join(back, 'mine'), 'mine');
    writeFileSync(join(back, 'run'), 'old');
    expect(await cp(`${id}:/srv/tree/from/.`, back)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(back, 'run'), 'utf8')).toBe('#!/bin/sh\n');
    expect(readFileSync(join(back, 'mine'), 'utf8')).toBe('mine');
  });

  it('passes one file through pipes, and keeps the mode of one that stands there', async () => {
    const bytes = randomBytes(5_000_000);
    expect(await cp('-', `${id}:/srv/piped`, bytes)).toMatchObject({ exitCode: 0 });
    await pyro(['exec', id, '--', 'chmod 750 /srv/piped']);
    await cp('-', `${id}:/srv/piped`, bytes.subarray(1));
    expect((await cp(`${id}:/srv/piped`, '-')).stdout.equals(bytes.subarray(1))).toBe(true);
    const { stdout } = await pyro(['exec', id, '--', 'stat -c %a /srv/piped']);
    expect(stdout.toString('utf8')).toBe('750\n');
  });

  it('follows the link that was named, on both sides, and no other', async () => {
    const [elsewhere, link, into, lost] = ['elsewhere', 'link', 'into', 'lost'].map((name) => join(folder, name));
    writeFileSync(`${elsewhere}`, 'old');
    symlinkSync(`${elsewhere}`, `${link}`);
    symlinkSync(folder, `${into}`);
    symlinkSync(join(folder, 'nowhere'), `${lost}`);
    await pyro([
      'exec',
      id,
      '--',
      'mkdir /srv/links; cd /srv/links; echo real > real; ln -s real link; ln -s /etc sub',
    ]);
    expect(await cp(`${id}:/srv/links/real`, `${link}`)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(`${elsewhere}`, 'utf8')).toBe('real\n');
    expect(lstatSync(`${link}`).isSymbolicLink()).toBe(true);
    expect((await cp(`${id}:/etc/hostname`, `${into}`)).stderr).toContain(`write ${into}/ for the folder`);
    expect((await cp(`${id}:/etc/hostname`, `${lost}`)).stderr).toContain('is a link to nothing');
    expect(await cp('-', `${id}:/srv/links/link`, Buffer.from('new\n'))).toMatchObject({ exitCode: 0 });
    const { stdout } = await pyro(['exec', id, '--', 'cd /srv/links; cat real; readlink link']);
    expect(stdout.toString('utf8')).toBe('new\nreal\n');
  });

  it('puts nothing in the place of another kind, and says what stays behind', async () => {
    const from = join(folder, 'kinds');
    for (const name of ['.git', 'sub/.git', 'file', 'new']) mkdirSync(join(from, name), { recursive: true });
    writeFileSync(join(from, 'new/a'), 'a');
    writeFileSync(join(from, 'folder'), 'a file');
    await pyro([
      'exec',
      id,
      '--',
      'mkdir -p /srv/kinds/folder/in; echo kept > /srv/kinds/file; cp -r /srv/kinds /srv/seen',
    ]);
    const before = await pyro(['exec', id, '--', 'cd /srv/kinds; find .; cat file']);
    const refused = await cp(`${from}/.`, `${id}:/srv/kinds`);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('would replace it') });
    expect(refused.stderr).toContain('nothing was copied; remove what is there first');
    expect((await pyro(['exec', id, '--', 'cd /srv/kinds; find .; cat file'])).stdout).toEqual(before.stdout);
    expect((await cp(from, `${id}:/srv/whole`)).stderr).toContain(
      "left out .git: Git's own folders are not copied (2)",
    );
    await pyro(['exec', id, '--', 'cd /srv/whole; mkdir -p .git sub/.git; mkfifo pipe; touch .git/x']);
    const { stderr } = await cp(`${id}:/srv/whole`, join(folder, 'whole'));
    for (const path of ['.git', 'sub/.git', 'pipe']) expect(stderr).toContain(`left out ${path}: `);
    expect(readdirSync(join(folder, 'whole'))).not.toContain('.git');
  });

  it('changes nothing in a guest whose disk is full, and takes a file that fits', async () => {
    await pyro([
      'exec',
      id,
      '--',
      'mkdir /mnt/small; mount -t tmpfs -o size=8m none /mnt/small; echo old > /mnt/small/a',
    ]);
    const large = join(folder, 'large');
    writeFileSync(large, randomBytes(12_000_000));
    const refused = await cp(large, `${id}:/mnt/small/a`);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('no room left on the disk') });
    const look = ['exec', id, '--', 'cd /mnt/small; ls -A; cat a'];
    expect((await pyro(look)).stdout.toString('utf8')).toBe('a\nold\n');
    expect(await cp('-', `${id}:/mnt/small/a`, Buffer.from('new\n'))).toMatchObject({ exitCode: 0 });
    expect((await pyro(look)).stdout.toString('utf8')).toBe('a\nnew\n');
  });

  it.each([
    ['an unknown file of the guest', () => [`${id}:/nope`, folder], /no such file/],
    ['an unknown file of the host', () => [join(folder, 'nope'), `${id}:`], /no .*nope on this machine/],
    ['an unknown workspace', () => ['nobody:a', folder], /no workspace "nobody"/],
    ['a folder to standard output', () => [`${id}:/srv`, '-'], /is a folder, but - takes a single file/],
    ['standard input without a name', () => ['-', `${id}:/srv`], /NAME/],
    ['a folder in the place of a file', () => [folder, `${id}:/etc/hostname`], /hostname is a file in the guest/],
  ])('%s', async (_, places, error) => {
    const [source = '', target = ''] = places();
    const { exitCode, stderr } = await cp(source, target);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(error);
  });
});
