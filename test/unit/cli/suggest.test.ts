// What is proposed to somebody who typed an option or a command that is not known.
import { expect, it } from 'vitest';
import { nearest } from '../../../src/cli/suggest.ts';

const options = ['--seed-path', '--vcpu-count', '--mem-mib', '--network-policy', '--name'];

it.each([
  ['--seed', ['--seed-path']],
  ['--cpus', ['--vcpu-count']],
  ['--memory', ['--mem-mib']],
  ['--network', ['--network-policy']],
  ['--nme', ['--name']],
  ['--colour', []],
  ['--', []],
])('%s: %j', (word, proposed) => {
  expect(nearest(word, options)).toEqual(proposed);
});

it('a command with two letters changed', () => {
  expect(nearest('lst', ['list', 'logs', 'exec'])).toEqual(['list']);
});
