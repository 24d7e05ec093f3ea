// Secrets and changes over a stand-in guest: a diff, a page of it and an apply that would hold one do not come about.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesWith, formsOf } from '../../../support/secret-search.ts';
import { StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const value = 'a-secret/of+the=changes';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] }, (folder) => {
    mkdirSync(folder);
    writeFileSync(`${folder}/old`, 'old\n');
  });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

async function thrown(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe.skipIf(obstacle !== undefined)('changes with a secret in them', { shuffle: false }, () => {
  it('are not shown as a patch nor brought home, but named', async () => {
    await house.sh(
      `mkdir hot; echo 'key = ${value}' > hot/f; printf '${value}' | base64 -w0 > hot/coded; echo clean > old`,
    );
    for (const error of [
      await thrown(house.diff()),
      await thrown(house.apply()),
      await thrown(house.diff({ path: 'hot' })),
    ]) {
      expect(error).toMatchObject({ code: 'secret_in_output', details: { paths: ['hot/coded', 'hot/f'] } });
      expect(JSON.stringify({ ...Object(error), text: String(error) })).not.toContain(value);
    }
    expect(readFileSync(house.on('seed/old'), 'utf8')).toBe('old\n');
    expect(readdirSync(house.on('seed'))).toEqual(['old']);
  });

  it('may be listed, and do not stand in the way of a part without one', async () => {
    const { entries } = await house.diff({ stat_only: true });
    expect(entries.map(({ path }) => path)).toEqual(['hot/coded', 'hot/f', 'old']);
    expect((await house.diff({ path: 'old' })).patch).toContain('+clean');
    expect(await house.apply({ path: 'old' })).toMatchObject({ changed_count: 1 });
  });

  it('in their names are stars', async () => {
    await house.sh(
      'rm -r hot; touch name-a-secret-x; mkdir "a-secret"; mkdir -p "x/$(printf %s a-secret)"; touch "a-secret/of+the=changes"',
    );
    const error = await thrown(house.diff());
    expect(error).toMatchObject({ code: 'secret_in_output' });
    expect(JSON.stringify({ ...Object(error), text: String(error) })).not.toContain(value);
    expect(JSON.stringify(await house.diff({ stat_only: true }))).not.toContain(value);
    await house.sh('rm -r a-secret');
    expect((await house.diff()).changed).toBe(true);
  });

  it('are in no file of this machine', async () => {
    await house.sh(`echo 'key = ${value}' > f`);
    await thrown(house.diff());
    await thrown(house.apply());
    const state = join(house.engine.paths.state, 'workspaces', house.id);
    expect(filesWith(formsOf(value), state, { exclude: ['project.squashfs'] })).toEqual([]);
    expect(house.leftovers).toEqual([]);
  });
});
