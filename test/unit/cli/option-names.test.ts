// Errors in the words of the command line.
import { expect, it } from 'vitest';
import { inOptionWords, optionNames, withOptionNames } from '../../../src/cli/option-names.ts';
import { operations } from '../../../src/operations/index.ts';
import { PyroError } from '../../../src/shared/errors.ts';
import { hintCall } from '../../../src/shared/hint-words.ts';

const create = operations.find(({ definition }) => definition.name === 'workspace.create');
if (create === undefined) throw new Error('there is no workspace.create');

it.each([
  ['network_policy', '--network-policy'],
  ['labels', '--label'],
  ['environment', '<environment>'],
])('%s is %s', (field, name) => {
  expect(optionNames(create)(field)).toBe(name);
});

it('a text keeps what is no field', () => {
  expect(withOptionNames(create, 'seed_path, some_file and path/seed_path-x')).toBe(
    '--seed-path, some_file and path/seed_path-x',
  );
});

it('an error of the input speaks of options, a call in its hint stays a command', () => {
  const hint = `set network_policy: ${hintCall('workspace.create', { network_policy: 'egress' })}`;
  expect(inOptionWords(create, new PyroError('usage', 'network_policy is off', { hint }))).toMatchObject({
    code: 'usage',
    message: '--network-policy is off',
    hint: 'set --network-policy: pyro workspace create --network-policy egress',
  });
});

it('another error keeps its message, which may quote anything, and has a hint in the words of the command line', () => {
  const error = new PyroError('workspace_unknown', 'seed_path is the name of no workspace', { hint: 'give seed_path' });
  expect(inOptionWords(create, error)).toMatchObject({
    code: 'workspace_unknown',
    message: 'seed_path is the name of no workspace',
    hint: 'give --seed-path',
  });
  const other = new Error('seed_path');
  expect(inOptionWords(create, other)).toBe(other);
});
