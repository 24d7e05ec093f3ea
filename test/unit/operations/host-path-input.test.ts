// Paths of the host that a caller names: relative ones, and those of the home folder.
import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { absolutePaths } from '../../../src/operations/host-path-input.ts';

describe('a path of the host', () => {
  it.each([
    ['sub', '/project/sub'],
    ['/opt/x', '/opt/x'],
    ['~', homedir()],
    ['~/out', `${homedir()}/out`],
    ['./~/out', '/project/~/out'],
    ['~other/out', '/project/~other/out'],
  ])('%s is %s', (given, absolute) => {
    const items = { list: [{ file_path: given }, 'text'], path: given, other: given };
    expect(absolutePaths(items, ['path', 'list'], '/project')).toEqual({
      path: absolute,
      list: [{ file_path: absolute }, 'text'],
    });
  });
});
