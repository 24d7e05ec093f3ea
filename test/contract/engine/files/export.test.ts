// An export over a stand-in guest: as files, archive or patch, whole or not at all, and never where it must not be.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFolder, git } from '../../../support/host-tree.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-export';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] });
  await house.sh(
    `mkdir -p tree/sub tree/.git tree/empty; cd tree; echo '#!/bin/sh' > run; chmod 755 run; ln -s sub/f link; ln -s / root
     echo text > sub/f; echo git > .git/HEAD; printf 'x' > "$(printf 'no\\377utf8')"; mkfifo pipe; truncate -s 1M holes`,
  );
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

describe.skipIf(obstacle !== undefined)('an export', () => {
  it('of a folder has its modes, links and names, without .git, and says what could not come', async () => {
    const output = house.on('made/for/it');
    const result = await house.export({ path: 'tree', output_path: output });
    expect(result).toMatchObject({
      artifact_type: 'directory',
      output_path: output,
      workspace_path: '/workspace/tree',
    });
    const skipped = result.skipped.map(({ path, status }) => `${path}: ${status}`).join('\n');
    expect(skipped).toContain('pipe: is a device, a socket or a pipe');
    expect(skipped).toContain('.git: a Git repository of its own');
    expect(result.skipped).toHaveLength(2);
    expect(statSync(join(output, 'run')).mode & 0o777).toBe(0o755);
    expect([readlinkSync(join(output, 'link')), readlinkSync(join(output, 'root'))]).toEqual(['sub/f', '/']);
    expect(describeFolder(output).join('\n')).toContain('"no\u00ffutf8"');
    expect(readdirSync(output).sort()).toEqual(
      expect.arrayContaining(['empty', 'holes', 'link', 'root', 'run', 'sub']),
    );
    expect(existsSync(join(output, '.git'))).toBe(false);
    expect(statSync(join(output, 'holes')).size).toBe(1_048_576);
    await house.export({ path: 'tree', output_path: house.on('with-git'), include_git: true });
    expect(readFileSync(house.on('with-git/.git/HEAD'), 'utf8')).toBe('git\n');
  });

  it('is one file, a link or an archive where that is asked for', async () => {
    expect(await house.export({ path: 'tree/run', output_path: house.on('run') })).toMatchObject({
      artifact_type: 'file',
      entry_count: 1,
      bytes_written: 10,
    });
    expect(lstatSync(house.on('run')).mode & 0o777).toBe(0o755);
    expect(await house.export({ path: 'tree/link', output_path: house.on('l') })).toMatchObject({
      artifact_type: expect.stringMatching(/^(file|symlink)$/),
    });
    await house.export({ path: 'tree', output_path: house.on('t.tar'), format: 'tar' });
    const names = execFileSync('tar', ['-tf', house.on('t.tar')], { encoding: 'utf8' });
    expect(names).toContain('sub/f');
    expect(names).not.toContain('.git');
  });

  it('as a patch brings the changes into another checkout', async () => {
    await house.export({ path: '/workspace', output_path: house.on('all.patch'), format: 'patch' });
    const checkout = house.on('checkout');
    mkdirSync(checkout);
    git(checkout, 'init', '-q');
    expect(git(checkout, 'apply', '--binary', house.on('all.patch')).stderr).toBe('');
    expect(readFileSync(join(checkout, 'tree/sub/f'), 'utf8')).toBe('text\n');
    expect(statSync(join(checkout, 'tree/run')).mode & 0o100).toBe(0o100);
    await expect(house.export({ path: '/etc', output_path: house.on('x.patch'), format: 'patch' })).rejects.toThrow();
    expect(existsSync(house.on('x.patch'))).toBe(false);
  });

  it('takes no place of another, leads through no link, and writes under no .git', async () => {
    const code = async (given: Record<string, unknown>) =>
      await house.export({ path: 'tree/sub', ...given }).then(
        () => 'done',
        (error: { code?: string }) => error.code,
      );
    const standing = house.on('standing', 'mine');
    expect(await code({ output_path: standing })).toBe('output_exists');
    expect(readFileSync(standing, 'utf8')).toBe('mine');
    expect(await code({ output_path: standing, overwrite: true })).toBe('done');
    expect(readFileSync(join(standing, 'f'), 'utf8')).toBe('text\n');
    mkdirSync(house.on('repo/.git/x'), { recursive: true });
    for (const name of ['repo/.git/out', 'repo/.GIT', 'repo/.git/x/y']) {
      expect(await code({ output_path: house.on(name) }), name).toBe('export_refused');
    }
    expect(await code({ output_path: house.on('repo'), overwrite: true })).toBe('export_refused');
    expect(await code({ output_path: 'relative' })).toBe('usage');
    symlinkSync('/nowhere/at/all', house.on('lost'));
    expect(await code({ output_path: house.on('lost') })).toBe('path_refused');
    const hostPaths = { folders: [house.on('allowed')] };
    mkdirSync(house.on('allowed'));
    symlinkSync(house.host, house.on('allowed/out'));
    await expect(
      house.export({ path: 'tree/sub', output_path: house.on('allowed/out/y') }, { hostPaths }),
    ).rejects.toMatchObject({ code: 'path_refused' });
    await house.export({ path: 'tree/sub', output_path: house.on('allowed/in') }, { hostPaths });
    expect(await code({ path: 'none', output_path: house.on('none') })).toBe('file_missing');
    expect(existsSync(house.on('none'))).toBe(false);
  });

  it('with a secret in it does not come about, in any format, and names the file', async () => {
    await house.sh(`mkdir -p hot; echo 'x ${value} y' > hot/f; cd hot; ln -s 'to/${value}' l`);
    for (const format of ['files', 'tar', 'patch']) {
      const output = house.on(`hot.${format}`);
      const error = await house.export({ path: 'hot', output_path: output, format }).catch((each: unknown) => each);
      expect(error).toMatchObject({ code: 'secret_in_output', message: expect.stringContaining('f') });
      expect(JSON.stringify(error)).not.toContain(value);
      expect(existsSync(output)).toBe(false);
    }
    // What lies beside it is no reason.
    await house.export({ path: 'tree', output_path: house.on('cool.patch'), format: 'patch' });
    await house.export({ path: 'tree/sub', output_path: house.on('cool') });
    await house.sh('rm -r hot');
  });

  it('of 64 MiB is whole; cancelled at any moment or made twice at once it leaves nothing beside it', async () => {
    await house.sh('mkdir big; head -c 64M /dev/urandom > big/f; for n in $(seq 300); do echo $n > big/$n; done');
    const place = house.on('place/big');
    const sum = (await house.sh('sha256sum < big/f')).slice(0, 64);
    expect(await house.export({ path: 'big', output_path: place })).toMatchObject({ entry_count: 302 });
    expect(
      createHash('sha256')
        .update(readFileSync(join(place, 'f')))
        .digest('hex'),
    ).toBe(sum);
    // Half-way is soon enough with less.
    await house.sh('truncate -s 4M big/f');
    const count = await cancelAllAlong(
      async (signal) => await house.export({ path: 'big', output_path: place, overwrite: true }, { signal }),
      6,
    );
    expect(count).toBeGreaterThan(0);
    const twice = await Promise.allSettled(
      [1, 2].map(async () => await house.export({ path: 'big', output_path: house.on('place/twice') })),
    );
    expect(twice.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    expect(readdirSync(house.on('place')).sort()).toEqual(['big', 'twice']);
    expect(readdirSync(place)).toHaveLength(301);
    expect(house.leftovers).toEqual([]);
  });
});
