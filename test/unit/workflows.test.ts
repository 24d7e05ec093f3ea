// Workflows run only actions of a commit that somebody has looked at, with its version beside it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/documents.ts';

const folder = join(root, '.github/workflows');

it.each(readdirSync(folder))('%s pins its actions by commit', (name) => {
  const used = readFileSync(join(folder, name), 'utf8').match(/uses: .*/g) ?? [];
  expect(used).not.toEqual([]);
  expect(used.filter((line) => !/^uses: [\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
});
