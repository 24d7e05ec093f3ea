// The diff of a workspace over a stand-in guest, which was seeded from a checkout with everything that makes life hard.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../../../support/engine.ts';
import { dirty, gitIn, makeHairyRepository } from '../../../support/hairy-repository.ts';
import { describeFolder } from '../../../support/host-tree.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
let house: StandInHouse;

/** Dirty, with a submodule, and with a name that is no UTF-8. */
function plant(folder: string): void {
  makeHairyRepository(folder);
  const part = `${folder}-part`;
  mkdirSync(part);
  gitIn(part, 'init', '-q', '-b', 'main');
  writeFileSync(`${part}/p`, 'part\n');
  gitIn(part, 'add', '.');
  gitIn(part, 'commit', '-qm', 'part');
  gitIn(folder, 'submodule', 'add', '-q', part, 'part');
  gitIn(folder, 'commit', '-qm', 'with a part');
  dirty(folder);
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/raw`), Buffer.from([0xff])]), 'raw\n');
}

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({}, plant);
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

const changes = `
printf 'one\\n2\\n3' > src/deep/er/file.txt; rm staged.txt; mv new-name.txt newest-name.txt; chmod 755 no-newline
printf '\\0\\1\\2' > binary.bin; ln -sfn src/deep/er link; rm up; echo 'no link now' > up
rm crlf.txt; mkdir crlf.txt; echo in > crlf.txt/in; printf 'r2' > "$(printf 'raw\\377')"; printf x > "$(printf 'new\\376')"
echo part2 > part/p; echo more > 'names/a b'; rm 'names/-dash'; mkdir -p out; echo x > out/x.log; ln -s nowhere dangling; rm tool.sh`;

describe.skipIf(obstacle !== undefined)('a diff', () => {
  it('of a fresh workspace is empty, and Git says in the guest what it says on the host', async () => {
    const { entries, patch, changed, ignored } = await house.diff();
    expect({ entries, patch, changed, ignored }).toEqual({
      entries: [],
      patch: '',
      changed: false,
      ignored: { files: 0, bytes: 0 },
    });
    for (const question of ['status --porcelain', 'log --format=%H', 'diff --stat']) {
      const there = await house.sh(`git ${question}`);
      expect(there, question).toBe(gitIn(house.on('seed'), ...question.split(' ')));
    }
    expect(await house.sh('ls -A | grep -c "^.env$\\|^ignored$\\|debug.log" || true')).toBe('0\n');
  });

  it('of changes of every kind is one that Git applies to the seed', async () => {
    await house.sh(changes);
    const { patch, entries, summary, ignored } = await house.diff({ max_bytes: 1 << 24 });
    const statusOf = (path: string) => entries.find((entry) => entry.path === path)?.status;
    expect(['no-newline', 'staged.txt', 'newest-name.txt', 'dangling'].map(statusOf)).toEqual([
      'mode_changed',
      'deleted',
      'added',
      'added',
    ]);
    expect(entries.find(({ path }) => path === 'no-newline')).toMatchObject({ old_mode: '100644', new_mode: '100755' });
    expect(summary['total']).toBe(entries.length);
    expect(ignored.files).toBe(1);
    const copy = house.on('copy');
    execFileSync('cp', ['-a', house.on('seed'), copy]);
    for (const name of ['.git', '.env', 'ignored', 'debug.log']) rmSync(`${copy}/${name}`, { recursive: true });
    // The patch of a page is text; bytes that are no UTF-8 are whole in a file.
    await house.export({ output_path: house.on('whole.patch'), format: 'patch' });
    execFileSync('git', ['apply', '--binary', house.on('whole.patch')], { cwd: copy });
    expect(patch).toContain('GIT binary patch');
    await house.export({ output_path: house.on('tree') });
    const plain = (folder: string) => describeFolder(folder).filter((line) => !line.startsWith('"part/.git'));
    expect(plain(copy)).toEqual(plain(house.on('tree')));
  });

  it('comes in pages, in one state, whatever is written meanwhile', async () => {
    const whole = await house.diff({ max_bytes: 1 << 24 });
    let page = await house.diff({ max_bytes: 300 });
    await house.sh('echo later > later');
    let patch = page.patch;
    for (let turn = 0; page.next_cursor !== null && turn < 1000; turn++) {
      page = await house.diff({ cursor: page.next_cursor, max_bytes: 300 });
      expect(page.entries).toEqual([]);
      patch += page.patch;
    }
    expect(patch).toBe(whole.patch);
    await house.sh('rm later');
    await expect(house.diff({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'usage' });
    await expect(house.diff({ cursor: 'abcdefabcdef-5' })).rejects.toMatchObject({ code: 'result_gone' });
    expect(await house.diff({ entry_limit: 2 })).toMatchObject({ entries_truncated: true });
    expect((await house.diff({ max_bytes: 0 })).patch).toBe('');
  });

  it('may be of a part, without the patch, with what is ignored, or without what is large', async () => {
    const of = async (given: Record<string, unknown>) => (await house.diff(given)).entries.map(({ path }) => path);
    expect(await of({ path: 'names' })).toEqual(['names/-dash', 'names/a b']);
    expect(await of({ path: '/workspace/no-newline' })).toEqual(['no-newline']);
    await expect(house.diff({ path: '/etc' })).rejects.toMatchObject({ code: 'usage' });
    expect(await of({ path: 'out' })).toEqual([]);
    expect(await of({ path: 'out', include_ignored: true })).toEqual(['out/x.log']);
    const stat = await house.diff({ stat_only: true, path: 'src' });
    expect(stat).toMatchObject({ patch: '', patch_bytes: 0, entries: [{ additions: 1, deletions: 1 }] });
    await house.sh('head -c 3000 /dev/zero | tr "\\0" a > large');
    const { left_out: leftOut, left_out_count: count } = await house.diff({ path: 'large', max_file_bytes: 1000 });
    expect({ leftOut, count }).toEqual({
      leftOut: [{ path: 'large', reason: expect.stringContaining('larger than the limit') }],
      count: 1,
    });
    expect((await house.diff({ path: 'large', max_file_bytes: 0 })).patch).toContain('aaa');
  });

  it('against a snapshot has what came after it', async () => {
    await house.all.snapshotCreate({ workspace_id: house.id, snapshot_name: 'half' }, call());
    expect((await house.diff({ base: 'half' })).entries).toEqual([]);
    await house.sh('echo after > after; rm large; git checkout -q -- names; mkdir -p out2; echo y > out2/y.log');
    const { entries, base } = await house.diff({ base: 'half' });
    expect({ base, paths: entries.map(({ path, status }) => `${status} ${path}`) }).toEqual({
      base: 'half',
      paths: ['added after', 'deleted large', 'added names/-dash', 'modified names/a b'],
    });
    const ignored = await house.diff({ base: 'half', include_ignored: true, path: 'out2' });
    expect(ignored.entries.map(({ path }) => path)).toEqual(['out2/y.log']);
    await expect(house.diff({ base: 'none' })).rejects.toMatchObject({ code: 'snapshot_unknown' });
    expect(house.leftovers).toEqual([]);
  });

  it('that is cancelled at any moment leaves nothing; asked for twice at once it is made once', async () => {
    const again = async (signal: AbortSignal) => await house.diff({ stat_only: false }, { signal });
    expect(await cancelAllAlong(again)).toBeGreaterThan(0);
    expect(await cancelAllAlong(async (signal) => await house.diff({ base: 'half' }, { signal }), 6)).toBeGreaterThan(
      0,
    );
    const [one, other] = await Promise.all([house.diff({ max_bytes: 100 }), house.diff({ max_bytes: 100 })]);
    expect(one?.next_cursor).toBe(other?.next_cursor);
    expect(house.leftovers).toEqual([]);
    expect(house.engine.engine().activity().runningGuests).toBe(1);
  });

  it('is gone with a reset, and with another daemon', async () => {
    const { next_cursor: cursor } = await house.diff({ max_bytes: 100 });
    await house.engine.reopen();
    await expect(house.diff({ cursor })).rejects.toMatchObject({ code: 'result_gone' });
    const again = await house.diff({ max_bytes: 100 });
    await house.all.reset({ workspace_id: house.id, snapshot: 'baseline' }, call());
    await expect(house.diff({ cursor: again.next_cursor })).rejects.toMatchObject({ code: 'result_gone' });
    expect((await house.diff()).changed).toBe(false);
  });
});
