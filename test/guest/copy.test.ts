// Copies between this machine and a workspace, both ways, whole or not at all.
import { randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
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

  it('replaces a link of the host and writes nowhere through it', async () => {
    const [elsewhere, link, into] = ['elsewhere', 'link', 'into'].map((name) => join(folder, name));
    writeFileSync(`${elsewhere}`, 'safe');
    symlinkSync(`${elsewhere}`, `${link}`);
    symlinkSync(folder, `${into}`);
    expect(await cp(`${id}:/etc/hostname`, `${link}`)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(`${elsewhere}`, 'utf8')).toBe('safe');
    expect(lstatSync(`${link}`).isFile()).toBe(true);
    expect((await cp(`${id}:/etc/hostname`, `${into}`)).stderr).toContain(`write ${into}/ for the folder`);
  });

  it.each([
    ['an unknown file of the guest', () => [`${id}:/nope`, folder], /no such file/],
    ['an unknown file of the host', () => [join(folder, 'nope'), `${id}:`], /no .*nope on this machine/],
    ['an unknown workspace', () => ['nobody:a', folder], /no workspace "nobody"/],
    ['a folder to standard output', () => [`${id}:/srv`, '-'], /is a folder, and - takes one file/],
    ['standard input without a name', () => ['-', `${id}:/srv`], /NAME/],
    ['a folder in the place of a file', () => [folder, `${id}:/etc/hostname`], /hostname is a file of the guest/],
  ])('%s', async (_, places, error) => {
    const [source = '', target = ''] = places();
    const { exitCode, stderr } = await cp(source, target);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(error);
  });
});
