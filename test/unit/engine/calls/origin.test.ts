// Which seeds a folder belongs to.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { seedsAround } from '../../../../src/engine/calls/origin.ts';

const top = realpathSync(mkdtempSync(join(tmpdir(), 'pyro-origin-')));
mkdirSync(join(top, 'outer/app/.git'), { recursive: true });
mkdirSync(join(top, 'outer/app/src/deep'), { recursive: true });
mkdirSync(join(top, 'outer/app-two'));
symlinkSync(join(top, 'outer/app/src'), join(top, 'link'));
afterAll(() => rmSync(top, { recursive: true }));

it.each([
  ['outer/app', 'outer/app', true],
  ['outer/app/src/deep', 'outer/app', true],
  ['outer/app/src/deep', 'outer/app/src', true],
  ['link', 'outer/app', true],
  // A seed around the checkout is not of the checkout.
  ['outer/app', 'outer', false],
  ['outer/app', 'outer/app/src', false],
  ['outer/app-two', 'outer/app', false],
  // Without a checkout any folder above serves.
  ['outer/app-two', 'outer', true],
])('in %s the seed %s: %s', async (folder, seed, isHere) => {
  expect((await seedsAround(join(top, folder)))(join(top, seed))).toBe(isHere);
});

it('a workspace without a seed came from nowhere', async () => {
  expect((await seedsAround(top))(null)).toBe(false);
});
