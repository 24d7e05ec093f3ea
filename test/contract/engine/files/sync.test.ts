// Newer files of the host pushed into a workspace over a stand-in guest: only differences, all of a call or nothing.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { git } from '../../../support/host-tree.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let house: StandInHouse;

function plant(folder: string): void {
  mkdirSync(`${folder}/src`, { recursive: true });
  git(folder, 'init', '-q');
  writeFileSync(`${folder}/.gitignore`, 'out/\n');
  writeFileSync(`${folder}/src/a`, 'a\n');
  writeFileSync(`${folder}/src/b`, 'b\n');
  git(folder, 'add', '.');
  git(folder, 'commit', '-qm', 'first');
}

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({}, plant);
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

const pushed = async (given: Record<string, unknown>) => (await house.push(given)).workspace_sync;

describe.skipIf(obstacle !== undefined)('a push', () => {
  it('brings what differs, deletes where it is asked to, and tells both before it is done', async () => {
    const source_path = house.on('seed');
    expect(await pushed({ source_path })).toMatchObject({ written_count: 0, deleted_count: 0, changes: [] });
    house.on('seed/src/a', 'newer\n');
    house.on('seed/new file', 'x');
    house.on('seed/out/ignored', 'x');
    symlinkSync('src/a', house.on('seed/link'));
    chmodSync(house.on('seed/src/b'), 0o755);
    await house.sh('echo mine > mine');
    const wanted = { written_count: 4, deleted_count: 0 };
    expect(await pushed({ source_path, dry_run: true })).toMatchObject({ ...wanted, dry_run: true });
    expect(await house.sh('cat src/a')).toBe('a\n');
    const { changes } = await pushed({ source_path });
    expect(changes.map(({ path }) => path).sort()).toEqual(['link', 'new file', 'src/a', 'src/b']);
    expect(await house.sh('cat src/a mine link; stat -c %a src/b; ls')).toBe(
      'newer\nmine\nnewer\n755\nlink\nmine\nnew file\nsrc\n',
    );
    rmSync(house.on('seed/new file'));
    expect(await pushed({ source_path, delete: true, dry_run: true })).toMatchObject({ deleted_count: 2 });
    expect(await pushed({ source_path, delete: true })).toMatchObject({ written_count: 0, deleted_count: 2 });
    expect(await house.sh('ls; git status --porcelain | head -5')).toContain('link\nsrc\n');
  });

  it('takes a single file and an archive to a folder of the guest', async () => {
    expect(await pushed({ source_path: house.on('single', 'one'), dest: '/srv/x' })).toMatchObject({ entry_count: 1 });
    execFileSync('tar', ['-C', house.on('seed'), '-cf', house.on('a.tar'), 'src']);
    await pushed({ source_path: house.on('a.tar'), dest: '/srv/unpacked' });
    expect(await house.sh('cat /srv/x/single /srv/unpacked/src/a')).toBe('onenewer\n');
    await expect(house.push({ source_path: house.on('none') })).rejects.toMatchObject({ code: 'seed_missing' });
    await expect(
      house.push({ source_path: house.on('single') }, { hostPaths: { folders: ['/nowhere'] } }),
    ).rejects.toMatchObject({ code: 'path_refused' });
  });

  it('of more changes than are shown says how many there were', async () => {
    for (let index = 0; index < 150; index++) house.on(`lot/${index}`, `${index}`);
    const result = await pushed({ source_path: house.on('lot'), dest: 'lot' });
    expect(result).toMatchObject({ written_count: 150, changes_truncated: true });
    expect(result.changes).toHaveLength(100);
  });

  it('that is cancelled at any moment has brought all or nothing, and leaves no draft', async () => {
    for (let index = 0; index < 600; index++) house.on(`all/d${index % 7}/${index}`, `${index}`);
    const counts = new Set<string>();
    const count = await cancelAllAlong(async (signal) => {
      counts.add((await house.sh('find all -type f 2>/dev/null | wc -l; rm -rf all')).trim());
      await house.push({ source_path: house.on('all'), dest: 'all' }, { signal });
    });
    expect(count).toBeGreaterThan(0);
    expect([...counts].filter((each) => each !== '0' && each !== '600')).toEqual([]);
    // The guest clears up a moment after its caller has gone.
    await until(async () => (await house.sh('find /workspace /srv -name "*pyro*" 2>/dev/null || echo looking')) === '');
    expect(house.leftovers).toEqual([]);
  });

  it('of two folders to one place at once ends as one of them', async () => {
    for (const name of ['one', 'two']) for (let index = 0; index < 200; index++) house.on(`${name}/${index}`, name);
    await Promise.all(['one', 'two'].map((name) => house.push({ source_path: house.on(name), dest: 'both' })));
    expect(['one', 'two']).toContain(
      await house.sh('cat both/* | sed "s/onetwo.*\\|twoone.*/mixed/; s/^\\(one\\|two\\).*/\\1/"'),
    );
    expect(await house.sh('ls both | wc -l')).toBe('200\n');
  });
});
