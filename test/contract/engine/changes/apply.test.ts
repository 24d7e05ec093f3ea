// Changes brought home over a stand-in guest, into the checkout that they came from: what is refused, merged and left alone.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { git } from '../../../support/host-tree.ts';
import { StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const lines = Array.from({ length: 30 }, (_, index) => `line ${index}\n`).join('');
let house: StandInHouse;

function plant(folder: string): void {
  mkdirSync(`${folder}/src`, { recursive: true });
  git(folder, 'init', '-q');
  writeFileSync(`${folder}/.gitignore`, '*.log\n');
  for (const name of ['a', 'b', 'src/c', 'gone']) writeFileSync(`${folder}/${name}`, lines);
  git(folder, 'add', '.');
  git(folder, 'commit', '-qm', 'first');
}

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({}, plant);
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

/** Each begins with the checkout and the workspace as they were. */
beforeEach(async () => {
  if (obstacle !== undefined) return;
  git(house.on('seed'), 'clean', '-qdfx');
  git(house.on('seed'), 'checkout', '-q', '-f', 'HEAD');
  await house.all.reset({ workspace_id: house.id, snapshot: 'baseline' }, call());
});

const home = (name: string) => readFileSync(house.on(`seed/${name}`), 'utf8');
const status = () => git(house.on('seed'), 'status', '--porcelain').stdout.toString();
const changed = async (given: Record<string, unknown> = {}) => {
  const { changes } = await house.apply(given);
  return changes.map((each) => `${each.status} ${each.path}`);
};

describe.skipIf(obstacle !== undefined)('an apply', () => {
  it('is told before it is done, is done once, and goes on from there', async () => {
    await house.sh(
      'sed -i "s/line 3$/three/" a; rm gone; chmod 755 b; mkdir n; echo new > n/f; ln -s a l; echo x > x.log',
    );
    const plan = ['modified a', 'modified b', 'deleted gone', 'added l', 'added n/f'];
    expect((await changed({ check: true })).sort()).toEqual([...plan].sort());
    expect(status()).toBe('');
    const result = await house.apply();
    expect(result).toMatchObject({ changed_count: 5, conflict_count: 0, already_count: 0, ignored: { files: 1 } });
    expect(result.target_path).toBe(house.on('seed'));
    expect([home('a').includes('three'), home('n/f'), home('l') === home('a')]).toEqual([true, 'new\n', true]);
    expect(statSync(house.on('seed/b')).mode & 0o100).toBe(0o100);
    expect(await house.apply()).toMatchObject({ changed_count: 0, already_count: 5 });
    await house.sh('sed -i "s/three/3/" a; rm n/f');
    expect((await changed()).sort()).toEqual(['deleted n/f', 'modified a']);
    expect(await changed({ include_ignored: true })).toEqual(['added x.log']);
    expect(house.leftovers).toEqual([]);
    expect(readdirSync(house.on('seed')).filter((name) => name.includes('pyro'))).toEqual([]);
  });

  it('overwrites nothing that has changed meanwhile, and says what stands against it', async () => {
    await house.sh('echo guest > a; echo guest > b; echo guest > n');
    house.on('seed/a', 'person\n');
    house.on('seed/n', 'person\n');
    const error = await house.apply().catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 'apply_conflict', message: expect.stringMatching(/\ba\b.*\bn\b/s) });
    expect([home('a'), home('b'), home('n')]).toEqual(['person\n', lines, 'person\n']);
    expect(await changed({ path: 'b' })).toEqual(['modified b']);
    expect(home('b')).toBe('guest\n');
    await expect(house.apply({ path: '/etc' })).rejects.toMatchObject({ code: 'usage' });
  });

  it('merges where it is asked to, and marks the lines that both have changed', async () => {
    await house.sh('sed -i "s/line 3$/guest/" a; sed -i "s/line 3$/guest/" b');
    house.on('seed/a', lines.replace('line 20\n', 'person\n'));
    house.on('seed/b', lines.replace('line 3\n', 'person\n'));
    expect((await changed({ '3way': true, check: true })).sort()).toEqual(['conflict b', 'merged a']);
    expect(home('a')).not.toContain('guest');
    const result = await house.apply({ '3way': true });
    expect(result).toMatchObject({ conflict_count: 1, changed_count: 2 });
    expect(home('a')).toContain('guest\n');
    expect(home('a')).toContain('person\n');
    expect(home('b')).toContain('<<<<<<<');
    // Until the marks are gone it is said again.
    expect(await changed({ '3way': true })).toEqual(['conflict b']);
  });

  it('goes to another folder where one is named, and asks for one where none is known', async () => {
    await house.sh('echo guest > src/c; echo new > new');
    const other = house.on('other');
    mkdirSync(`${other}/src`, { recursive: true });
    writeFileSync(`${other}/src/c`, lines);
    expect((await changed({ to: other })).sort()).toEqual(['added new', 'modified src/c']);
    expect(readFileSync(`${other}/src/c`, 'utf8')).toBe('guest\n');
    expect(status()).toBe('');
    await expect(house.apply({ to: house.on('none') })).rejects.toMatchObject({ code: 'seed_missing' });
    await expect(house.apply({ to: house.on('other/new') })).rejects.toMatchObject({ code: 'seed_missing' });
    const policy = { hostPaths: { folders: [other] } };
    await expect(house.apply({}, policy)).rejects.toMatchObject({ code: 'path_refused' });
    const { workspace_id } = await house.all.create(createRequest, call());
    await expect(house.apply({ workspace_id })).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('--to'),
    });
    rmSync(other, { recursive: true });
  });

  it('of two workspaces into one checkout at once mixes nothing', async () => {
    const seed_path = house.on('seed');
    const made = [1, 2].map(async () => await house.all.create({ ...createRequest, seed_path }, call()));
    const ids = (await Promise.all(made)).map(({ workspace_id: id }) => id);
    for (const [index, id] of ids.entries()) {
      await exec(house.engine, id, `for n in a b src/c; do echo ${index} > $n; done; echo ${index} > own${index}`);
    }
    const both = await Promise.allSettled(ids.map(async (id) => await house.apply({ workspace_id: id })));
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'apply_conflict' } });
    expect(new Set(['a', 'b', 'src/c'].map(home)).size).toBe(1);
    // The same one twice is done once.
    await house.sh('echo mine > mine');
    const twice = await Promise.all([house.apply({ path: 'mine' }), house.apply({ path: 'mine' })]);
    expect(twice.map(({ changed_count: count }) => count).sort()).toEqual([0, 1]);
  });

  it('knows its own work after another daemon took over', async () => {
    await house.sh('echo one > a');
    await house.apply();
    await house.engine.reopen();
    await house.sh('echo two > a');
    expect(await changed()).toEqual(['modified a']);
    expect(home('a')).toBe('two\n');
  });

  it('to a checkout that is gone says so', async () => {
    await house.sh('echo one > a');
    rmSync(house.on('seed'), { recursive: true });
    await expect(house.apply()).rejects.toMatchObject({
      code: 'seed_missing',
      message: expect.stringContaining('no longer'),
    });
    plant(house.on('seed'));
  });
});
