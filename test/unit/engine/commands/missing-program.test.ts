// A program that a guest does not have: what the result says of where it is.
import { describe, expect, it } from 'vitest';
import { noteOnProgram, withProgramNote } from '../../../../src/engine/commands/missing-program.ts';
import { findEntry } from '../../../../src/environment/catalogue.ts';
import { PyroError } from '../../../../src/shared/errors.ts';

const plain = { environment: 'debian:12', package_sources: 'none' };
const said = (stderr: string) => ({ stdout: '', stderr });

describe('a program that is not found', () => {
  it.each([
    ['bash: line 1: make: command not found\n', 'make'],
    ['/bin/sh: 1: make: not found\n', 'make'],
    ['sh: make: not found\n', 'make'],
    ['working\nbash: line 7: cargo: command not found\n', 'cargo'],
  ])('is named with the environments that have it: %j', (stderr, name) => {
    const note = noteOnProgram(plain, 127, said(stderr)) ?? '';
    expect(note).toMatch(new RegExp(`^${name} is not in debian:12; `));
    const named = note.match(/\b(?:debian:12-\w+|rust:1|node:24)/g) ?? [];
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((each) => findEntry(each) === undefined)).toEqual([]);
    expect(note).toContain('package_sources');
  });

  it('that was to be started itself is named in the hint of the error', () => {
    const refused = new PyroError('command_not_found', 'command not found: make');
    expect(withProgramNote(refused, plain, '/usr/bin/make')).toMatchObject({
      code: 'command_not_found',
      message: refused.message,
      hint: expect.stringMatching(/^make is not in debian:12; the environment debian:12-build or /),
    });
    expect(withProgramNote(refused, plain, 'no-such')).toBe(refused);
    const other = new PyroError('cwd_missing', 'there is no folder /make');
    expect(withProgramNote(other, plain, 'make')).toBe(other);
  });

  it('goes without a note where nothing is known of it, or another thing failed', () => {
    expect(noteOnProgram(plain, 127, said('bash: line 1: no-such: command not found\n'))).toBeNull();
    expect(noteOnProgram(plain, 1, said('bash: line 1: make: command not found\n'))).toBeNull();
    expect(noteOnProgram(plain, null, said('make: not found\n'))).toBeNull();
    expect(noteOnProgram(plain, 127, said(''))).toBeNull();
  });
});
