// Filters of a repository whose names git's command line cannot say: they never run.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { git, Scratch } from '../../support/project.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

it.each([
  ['an equals sign', 'a=b'],
  ['a byte that is no text', '\xff'],
])('a checkout with a filter whose name has %s is refused', async (_what, name) => {
  const folder = scratch.repository();
  writeFileSync(join(folder, 'f'), '1');
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'c');
  const mark = join(scratch.root, 'ran');
  const config = readFileSync(join(folder, '.git/config'), 'latin1');
  const filter = `[filter "${name}"]\n\tclean = "touch ${mark}; cat"\n`;
  writeFileSync(join(folder, '.git/config'), config + filter, 'latin1');
  writeFileSync(join(folder, '.gitattributes'), `f filter=${name}\n`, 'latin1');
  writeFileSync(join(folder, 'f'), '2');
  await expect(scratch.prepare(folder)).rejects.toMatchObject({ code: 'seed_unsupported' });
  expect(existsSync(mark)).toBe(false);
});
