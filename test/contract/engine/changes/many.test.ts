// Very many changed files over a stand-in guest: seen, brought home, cancelled half-way, and nothing left of it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../../../support/engine.ts';
import { git } from '../../../support/host-tree.ts';
import { isFullSize } from '../../../support/size.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const count = isFullSize ? 20_000 : 4000;
const fewer = 500;
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  house = await StandInHouse.open({}, (folder) => {
    mkdirSync(folder);
    git(folder, 'init', '-q');
    for (let index = 0; index < 200; index++) writeFileSync(`${folder}/old${index}`, `${index}\n`);
    git(folder, 'add', '.');
    git(folder, 'commit', '-qm', 'first');
  });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

describe.skipIf(obstacle !== undefined)(`a change of ${count} files`, () => {
  it('is listed, with all of them counted, and comes home', async () => {
    await house.sh(`mkdir many; cd many; seq ${count} | split -l 1 -a 5 -d - f; cd ..; rm old*`);
    const { summary, entries, entries_truncated: isCut } = await house.diff({ stat_only: true, entry_limit: 100_000 });
    expect(isCut).toBe(false);
    expect(entries).toHaveLength(summary['total'] ?? 0);
    expect(entries.filter(({ path }) => path.startsWith('many/'))).toHaveLength(count);
    expect(await house.apply()).toMatchObject({ changed_count: count + 200, changes_truncated: true });
    const last = `f${String(count - 1).padStart(5, '0')}`;
    expect(readFileSync(house.on(`seed/many/${last}`), 'utf8')).toBe(`${count}\n`);
    expect(readdirSync(house.on('seed/many'))).toHaveLength(count);
  });

  it('has come whole or not at all when the apply was cancelled, at whatever moment', async () => {
    await house.all.reset({ workspace_id: house.id, snapshot: 'baseline' }, call());
    await house.sh(`mkdir many; cd many; seq ${fewer} | split -l 1 -a 5 -d - f; cd ..; rm old*`);
    const seen = new Set<string>();
    const look = (): string => {
      const all = readdirSync(house.on('seed'));
      const many = all.includes('many') ? readdirSync(house.on('seed/many')).length : 0;
      const of = (part: string) => all.filter((name) => name.includes(part)).length;
      return `${many} new, ${of('old')} old, ${of('pyro')} drafts`;
    };
    const cut = await cancelAllAlong(async (signal) => {
      git(house.on('seed'), 'clean', '-qdf');
      git(house.on('seed'), 'checkout', '-q', '.');
      await house.apply({}, { signal }).finally(() => seen.add(look()));
    }, 5);
    expect(cut).toBeGreaterThan(0);
    const whole = [`${fewer} new, 0 old, 0 drafts`, '0 new, 200 old, 0 drafts'];
    expect([...seen].filter((each) => !whole.includes(each))).toEqual([]);
    expect(house.leftovers).toEqual([]);
  });
});
