// Copies between the host and a workspace over a stand-in guest: where they come to stand, what is refused, what is left.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunIo } from '../../../../src/contract/call.ts';
import { describeFolder } from '../../../support/host-tree.ts';
import { killNow } from '../../../support/kill.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open();
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

function streams(changes: Partial<Pick<RunIo, 'stdin' | 'stdout'>>): { io: RunIo } {
  const none = { stdin: undefined, stdout: undefined, stderr: undefined, terminal: undefined };
  return { io: { ...none, onStarted: () => () => undefined, ...changes } };
}

function sink(): { stdout: Writable; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return { stdout, bytes: () => Buffer.concat(chunks) };
}

async function code(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  );
}

describe.skipIf(obstacle !== undefined)('a copy', () => {
  it('of a folder goes there and back whole, beside what stands there or below it', async () => {
    house.on('from/run', '#!/bin/sh\n');
    execFileSync('chmod', ['755', house.on('from/run')]);
    house.on('from/sub/ü', 'umlaut');
    symlinkSync('../nowhere', house.on('from/link'));
    mkdirSync(house.on('from/empty'));
    const from = house.on('from');
    const first = await house.copy(from, ':/srv/tree');
    expect(first).toMatchObject({ artifact_type: 'directory', target: '/srv/tree', skipped: [] });
    expect(first.written_count).toBe(first.entry_count);
    // A second time nothing differs, but for a folder that stands there it goes below.
    expect(await house.copy(`${from}/.`, ':/srv/tree')).toMatchObject({ target: '/srv/tree', written_count: 0 });
    expect(await house.copy(from, ':/srv/tree')).toMatchObject({ target: '/srv/tree/from' });
    await house.copy(':/srv/tree/from', house.on('back'));
    expect(describeFolder(house.on('back'))).toEqual(describeFolder(from));
    expect(statSync(house.on('back/run')).mode & 0o777).toBe(0o755);
    house.on('back/mine', 'mine');
    house.on('back/run', 'old');
    await house.copy(':/srv/tree/from/.', house.on('back'));
    expect([readFileSync(house.on('back/mine'), 'utf8'), readFileSync(house.on('back/run'), 'utf8')]).toEqual([
      'mine',
      '#!/bin/sh\n',
    ]);
    await house.copy(':/srv/tree/from', `${house.on('back')}/`);
    expect(readdirSync(house.on('back/from')).sort()).toEqual(['empty', 'link', 'run', 'sub']);
  });

  it('of a file lands under its name, or the one that it was given', async () => {
    const one = house.on('one', 'one');
    expect(await house.copy(one, ':/srv/')).toMatchObject({ target: '/srv/one', artifact_type: 'file' });
    expect(await house.copy(one, ':other')).toMatchObject({ target: '/workspace/other', written_count: 1 });
    expect(await house.sh('cat /srv/one other')).toBe('oneone');
    await house.copy(':other', `${house.host}/`);
    expect(readFileSync(house.on('other'), 'utf8')).toBe('one');
    const elsewhere = house.on('elsewhere', 'old');
    symlinkSync(elsewhere, house.on('to-file'));
    await house.copy(':other', house.on('to-file'));
    expect(readFileSync(elsewhere, 'utf8')).toBe('one');
    expect(lstatSync(house.on('to-file')).isSymbolicLink()).toBe(true);
  });

  it('is refused where it would be something else than was meant', async () => {
    const { host } = house;
    house.on('a-file', 'x');
    mkdirSync(house.on('a-folder/f/in'), { recursive: true });
    symlinkSync(host, house.on('to-folder'));
    symlinkSync('/nowhere/x', house.on('lost'));
    mkdirSync(house.on('slot'));
    symlinkSync(host, house.on('slot/f'));
    await house.sh('mkdir -p k/d/in; echo x > k/f; ln -s /etc k/etc');
    const [file, folder] = [house.on('a-file'), house.on('a-folder')];
    expect(await code(house.copy(file, host))).toBe('usage');
    expect(await code(house.copy(':k/f', ':k/g'))).toBe('usage');
    expect(await code(house.copy(house.on('none'), ':k/x'))).toBe('seed_missing');
    expect(await code(house.copy(`${file}/below`, ':k/x'))).toBe('seed_missing');
    expect(await code(house.copy(`${file}/`, ':k/x'))).toBe('seed_unsupported');
    expect(await code(house.copy('/dev/null', ':k/x'))).toBe('seed_unsupported');
    expect(await code(house.copy(folder, ':k/f'))).toBe('not_a_directory');
    expect(await code(house.copy(`${folder}/.`, ':k/f'))).toBe('not_a_directory');
    await house.sh('mkdir -p k/d/a-file/in');
    expect(await code(house.copy(file, ':k/d'))).toBe('is_a_directory');
    expect(await code(house.copy(':k/f', house.on('to-folder')))).toBe('export_refused');
    expect(await code(house.copy(':k/f', house.on('lost')))).toBe('export_refused');
    expect(await code(house.copy(':k/f', house.on('slot')))).toBe('export_refused');
    expect(await code(house.copy(':k/f', `${file}/`))).toBe('output_exists');
    expect(await code(house.copy(':k/f', house.on('a-folder')))).not.toBe('done');
    expect(await code(house.copy(':/', `${host}/`))).toBe('usage');
    expect(await code(house.copy(':k/none', house.on('x')))).toBe('file_missing');
    const hostPaths = { folders: [house.on('slot')] };
    expect(await code(house.copy(file, ':k/x', { hostPaths }))).toBe('path_refused');
    expect(await code(house.copy(':k/f', house.on('x'), { hostPaths }))).toBe('path_refused');
    expect(await house.sh('find k | sort; cat k/f')).toBe('k\nk/d\nk/d/a-file\nk/d/a-file/in\nk/d/in\nk/etc\nk/f\nx\n');
  });

  it('says what stays behind, and puts nothing in the place of another kind', async () => {
    mkdirSync(house.on('kinds/.git'), { recursive: true });
    mkdirSync(house.on('kinds/file'));
    house.on('kinds/new', 'new');
    execFileSync('mkfifo', [house.on('kinds/pipe')]);
    await house.sh('mkdir kinds; echo kept > kinds/file');
    const error = await house.copy(`${house.on('kinds')}/.`, ':kinds').catch((each: unknown) => each);
    expect(error).toMatchObject({ hint: expect.stringContaining('nothing was copied') });
    expect(await house.sh('ls kinds; cat kinds/file')).toBe('file\nkept\n');
    const { skipped } = await house.copy(house.on('kinds'), ':/srv/kinds');
    expect(skipped.map(({ status }) => status)).toEqual([
      "Git's own folders are not copied (1)",
      '1 device, socket or pipe in it',
    ]);
  });

  it('of one file goes through standard input and output, and keeps the mode that stands there', async () => {
    const bytes = randomBytes(3_000_000);
    const put = async (content: Buffer, target: string) =>
      await house.copy('-', target, streams({ stdin: Readable.from([content.subarray(0, 9), content.subarray(9)]) }));
    expect(await put(bytes, ':piped')).toMatchObject({ source: '-', bytes_written: 3_000_000 });
    await house.sh('chmod 750 piped; ln -s piped to-piped');
    await put(bytes.subarray(1), ':to-piped');
    expect(await house.sh('stat -c "%a %F" piped to-piped')).toBe('750 regular file\n777 symbolic link\n');
    const { stdout, bytes: got } = sink();
    expect(await house.copy(':piped', '-', streams({ stdout }))).toMatchObject({ target: '-' });
    expect(got().equals(bytes.subarray(1))).toBe(true);
    await house.sh('mkdir -p folder');
    expect(await code(put(bytes, ':folder'))).toBe('usage');
    expect(await code(put(bytes, ':new/'))).toBe('usage');
    expect(await code(house.copy('-', ':x', streams({})))).toBe('usage');
    expect(await code(house.copy(':piped', '-'))).toBe('usage');
    expect(await code(house.copy(':folder', '-', streams({ stdout })))).toBe('is_a_directory');
    expect(house.leftovers).toEqual([]);
  });

  it('whose input breaks, or whose reader goes, leaves nothing on either side', async () => {
    const broken = new Readable({ read: () => undefined });
    broken.on('error', () => undefined);
    broken.push(Buffer.alloc(100_000));
    const copying = house.copy('-', ':broken', streams({ stdin: broken }));
    setImmediate(() => broken.destroy(new Error('the pipe broke')));
    await expect(copying).rejects.toThrow();
    const gone = new Writable({ write: (_chunk, _encoding, done) => done(new Error('nobody reads')) });
    gone.on('error', () => undefined);
    await expect(house.copy(':piped', '-', streams({ stdout: gone }))).rejects.toThrow();
    expect(await house.sh('ls -A | grep -c broken || true')).toBe('0\n');
    expect(house.leftovers).toEqual([]);
  });

  it('of 64 MiB is whole both ways; cancelled at any moment it leaves nothing', async () => {
    const bytes = randomBytes(64 << 20);
    house.on('big', bytes);
    await house.copy(house.on('big'), ':big');
    await house.copy(':big', house.on('big-back'));
    expect(readFileSync(house.on('big-back')).equals(bytes)).toBe(true);
    house.on('many/f', bytes.subarray(0, 2 << 20));
    for (let index = 0; index < 300; index++) house.on(`many/${index}`, `${index}`);
    const inside = await cancelAllAlong(async (signal) => {
      await house.sh('rm -rf many');
      await house.copy(house.on('many'), ':many', { signal });
    });
    expect(['0', '301']).toContain((await house.sh('ls -A many 2>/dev/null | wc -l')).trim());
    await house.copy(house.on('many'), ':many');
    const outside = await cancelAllAlong(async (signal) => {
      execFileSync('rm', ['-rf', house.on('many-back')]);
      await house.copy(':many', house.on('many-back'), { signal });
    });
    expect(inside).toBeGreaterThan(0);
    expect(outside).toBeGreaterThan(0);
    const listed = (await house.sh('ls -A; ls -A many')).split('\n');
    expect(listed.filter((name) => name.includes('pyro'))).toEqual([]);
    expect(readdirSync(house.host).filter((name) => name.includes('many'))).toEqual(expect.arrayContaining(['many']));
    expect(readdirSync(house.host).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(house.leftovers).toEqual([]);
  });

  it('into a guest that is killed meanwhile says so, and the next one works', async () => {
    const copying = house.copy(house.on('big'), ':killed');
    killNow(house.engine.engine().activity().guests[0]?.pid);
    expect(['guest_ended', 'done']).toContain(await code(copying));
    await until(async () => (await code(house.copy(house.on('one'), ':killed'))) === 'done');
    expect(await house.sh('cat killed')).toBe('one');
    expect(house.leftovers).toEqual([]);
  });
});
