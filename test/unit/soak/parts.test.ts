// Each test that has a full count for long runs belongs to a part of `make soak`.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parts } from '../../soak/parts.ts';
import { root } from '../../support/documents.ts';

const own = 'test/unit/soak/';
const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .map((name) => `test/${name}`)
  .filter((name) => name.endsWith('.test.ts') && !name.startsWith(own));

it('has a part for each test with a full count, and no file that is not there', () => {
  const listed = parts.flatMap((part) => [...(part.files ?? []), ...(part.without ?? [])]);
  expect(listed.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  const counted = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('PYRO_SOAK'));
  const missed = counted.filter((file) => !file.startsWith('test/guest/') && !listed.includes(file));
  expect(missed).toEqual([]);
  expect(counted.length).toBeGreaterThan(3);
  expect(parts.find(({ name }) => name === 'guests')).toMatchObject({ project: 'guest' });
  expect(parts[0]?.name).toBe('mixed');
});
