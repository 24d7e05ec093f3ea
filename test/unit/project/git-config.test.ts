// Settings of a checkout that Git itself could not write: what is made of them can be read.
import { expect, it } from 'vitest';
import { parseConfig, partialConfig, setting } from '../../../src/project/git-config.ts';

it('leaves out a name with a line break, which ends a section header too early', () => {
  expect(setting('remote.a\n"]b.url', 'x')).toBe('');
  const { config } = parseConfig(Buffer.from('local\0extensions.partialclone\na\n"]b\0'));
  for (const line of partialConfig(config).split('\n')) expect(line).toMatch(/^$|^\[|^\t/);
});
